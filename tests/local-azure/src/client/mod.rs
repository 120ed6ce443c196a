//! A small client of Service Bus that sends, receives and settles, for the built-in worker, tests and the demonstration.
//!
//! It authenticates by SASL PLAIN with the shared access key, which opens the whole connection without tokens that
//! would have to be renewed. It talks to the local Service Bus and, over TLS, to a real namespace.

mod connection_string;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::delivery::{Delivery, DeliveryInfo};
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use fe2o3_amqp_types::messaging::annotations::OwnedKey;
use fe2o3_amqp_types::messaging::message::__private::Deserializable;
use fe2o3_amqp_types::messaging::{Body, MessageId, Modified, Outcome};
use fe2o3_amqp_types::primitives::{SimpleValue, Symbol};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use serde_amqp::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use crate::service_bus::{OutgoingMessage, hex};
use connection_string::Endpoint;

/// How long a message that the service has already sent may take to arrive once the client wants no more.
const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// A message with any body.
type Message = fe2o3_amqp_types::messaging::Message<Body<Value>>;

/// Why the client failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Correct the connection string.
    #[error("the connection string cannot be used: {0}")]
    ConnectionString(&'static str),
    /// The namespace cannot be reached, or refuses the key.
    #[error("the connection to {host} failed: {reason}")]
    Connect {
        /// The host and the port.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The entity cannot be used, or the connection was lost.
    #[error("{operation} {entity} failed: {reason}")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// On which entity.
        entity: String,
        /// What went wrong.
        reason: String,
    },
    /// The message has values of types that AMQP does not allow where they are.
    #[error("the message cannot be sent: {0}")]
    Message(serde_amqp::Error),
}

/// A connection to a namespace.
///
/// Links stay open until [`Client::close`]: the AMQP library fails if they are closed while something else is under way.
#[derive(Debug)]
pub struct Client {
    connection: ConnectionHandle<()>,
    /// One for each link.
    sessions: Vec<SessionHandle<()>>,
    senders: HashMap<String, Sender>,
    receivers: HashMap<String, Receiver>,
}

/// A received message. This client holds its lock until that expires.
#[derive(Debug)]
pub struct Received {
    entity: String,
    delivery: DeliveryInfo,
    message: Message,
}

impl Client {
    /// Connects, plainly if the connection string is of an emulator, else over TLS.
    pub async fn connect(connection_string: &str) -> Result<Self, ClientError> {
        let endpoint = Endpoint::parse(connection_string).map_err(ClientError::ConnectionString)?;
        let host = format!("{}:{}", endpoint.host, endpoint.port);
        let failed = |reason: String| ClientError::Connect { host: host.clone(), reason };
        let stream = TcpStream::connect((&*endpoint.host, endpoint.port)).await.map_err(|e| failed(e.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let opened = if endpoint.tls {
            let stream = tls(&endpoint.host, stream).await.map_err(|error| failed(error.to_string()))?;
            open(&endpoint, stream).await
        } else {
            open(&endpoint, stream).await
        };
        let connection = opened.map_err(failed)?;
        Ok(Self { connection, sessions: Vec::new(), senders: HashMap::new(), receivers: HashMap::new() })
    }

    /// Sends messages to a topic, one after the other; each has been accepted when this returns.
    pub async fn send(
        &mut self,
        topic: &str,
        messages: impl IntoIterator<Item = OutgoingMessage>,
    ) -> Result<(), ClientError> {
        let failed = |reason: String| ClientError::Failed { operation: "sending to", entity: topic.to_owned(), reason };
        if !self.senders.contains_key(topic) {
            let session = self.begin().await.map_err(failed)?;
            let attached = Sender::attach(session, format!("sender-{}", Uuid::new_v4()), topic).await;
            self.senders.insert(topic.to_owned(), attached.map_err(|error| failed(error.to_string()))?);
        }
        let Some(sender) = self.senders.get_mut(topic) else { return Ok(()) };
        for message in messages {
            let message: Deserializable<Message> =
                serde_amqp::from_slice(&message.encode()).map_err(ClientError::Message)?;
            match sender.send(message.0).await.map_err(|error| failed(error.to_string()))? {
                Outcome::Accepted(_) => {}
                refused => return Err(failed(format!("{refused:?}"))),
            }
        }
        Ok(())
    }

    /// Receives a message of a subscription and locks it, or returns nothing if none comes within `wait`.
    pub async fn receive_one(
        &mut self,
        topic: &str,
        subscription: &str,
        wait: Duration,
    ) -> Result<Option<Received>, ClientError> {
        let entity = format!("{topic}/Subscriptions/{subscription}");
        let failed =
            |reason: String| ClientError::Failed { operation: "receiving from", entity: entity.clone(), reason };
        if !self.receivers.contains_key(&entity) {
            let session = self.begin().await.map_err(failed)?;
            let attaching = Receiver::builder()
                .name(format!("receiver-{}", Uuid::new_v4()))
                .source(entity.as_str())
                .credit_mode(CreditMode::Manual)
                .attach(session);
            let attached = attaching.await.map_err(|error| failed(error.to_string()))?;
            self.receivers.insert(entity.clone(), attached);
        }
        let Some(link) = self.receivers.get_mut(&entity) else { return Ok(None) };
        link.set_credit(1).await.map_err(|error| failed(error.to_string()))?;
        let mut received = timeout(wait, link.recv::<Body<Value>>()).await;
        if received.is_err() {
            link.drain().await.map_err(|error| failed(error.to_string()))?;
            received = timeout(DRAIN_GRACE, link.recv()).await;
        }
        let Ok(received) = received else { return Ok(None) };
        let (delivery, message) = received.map(Delivery::into_parts).map_err(|error| failed(error.to_string()))?;
        Ok(Some(Received { entity, delivery, message }))
    }

    /// Completes a message.
    ///
    /// It does not notice if the lock has expired; then the message is delivered again.
    pub async fn complete(&mut self, received: Received) -> Result<(), ClientError> {
        let link = self.link_of(&received)?;
        let settled = link.accept(received.delivery).await;
        settled.map_err(|error| ClientError::Failed {
            operation: "completing a message of",
            entity: received.entity,
            reason: error.to_string(),
        })
    }

    /// Abandons a message, so that it is delivered again.
    pub async fn abandon(&mut self, received: Received) -> Result<(), ClientError> {
        let link = self.link_of(&received)?;
        let modified = Modified { delivery_failed: Some(true), undeliverable_here: None, message_annotations: None };
        let settled = link.modify(received.delivery, modified).await;
        settled.map_err(|error| ClientError::Failed {
            operation: "abandoning a message of",
            entity: received.entity,
            reason: error.to_string(),
        })
    }

    /// Closes everything in order, and ignores errors.
    pub async fn close(mut self) {
        for (_, sender) in self.senders.drain() {
            let _ = sender.close().await;
        }
        for (_, receiver) in self.receivers.drain() {
            let _ = receiver.close().await;
        }
        for mut session in self.sessions {
            let _ = session.end().await;
        }
        let _ = self.connection.close().await;
    }

    /// Begins a session for one link: in the AMQP library, the next link on a session on which one was refused may be
    /// taken for that one, and fail too.
    async fn begin(&mut self) -> Result<&mut SessionHandle<()>, String> {
        let session = Session::begin(&mut self.connection).await.map_err(|error| error.to_string())?;
        Ok(self.sessions.push_mut(session))
    }

    fn link_of(&self, received: &Received) -> Result<&Receiver, ClientError> {
        self.receivers.get(&received.entity).ok_or_else(|| ClientError::Failed {
            operation: "settling a message of",
            entity: received.entity.clone(),
            reason: "it was received by another client".to_owned(),
        })
    }
}

impl Received {
    /// The message id in canonical text: a ulong in decimal, a uuid hyphenated, a binary in hex.
    pub fn message_id(&self) -> Option<String> {
        let id = self.message.properties.as_ref()?.message_id.as_ref()?;
        Some(match id {
            MessageId::String(text) => text.clone(),
            MessageId::Ulong(number) => number.to_string(),
            MessageId::Uuid(id) => Uuid::from_bytes(*id.as_inner()).to_string(),
            MessageId::Binary(bytes) => hex(bytes),
        })
    }

    /// An application property.
    pub fn property(&self, name: &str) -> Option<&SimpleValue> {
        self.message.application_properties.as_ref()?.0.get(name)
    }

    /// Its place in the subscription.
    pub fn sequence_number(&self) -> Option<i64> {
        let annotations = self.message.message_annotations.as_ref()?;
        match annotations.0.get(&OwnedKey::Symbol(Symbol::from("x-opt-sequence-number")))? {
            Value::Long(number) => Some(*number),
            _ => None,
        }
    }

    /// How often it was delivered before.
    pub fn delivery_count(&self) -> u32 {
        self.message.header.as_ref().map_or(0, |header| header.delivery_count)
    }

    /// The bytes of the body, if it has data sections.
    pub fn body(&self) -> Vec<u8> {
        match &self.message.body {
            Body::Data(sections) => sections.iter().flat_map(|section| section.0.iter().copied()).collect(),
            _ => Vec::new(),
        }
    }
}

async fn open<S>(endpoint: &Endpoint, stream: S) -> Result<ConnectionHandle<()>, String>
where
    S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static,
{
    /// Keeps the connection alive while a worker works, in milliseconds.
    const IDLE_TIME_OUT: u32 = 60_000;
    // The scheme is plain even over TLS, because the stream is already encrypted.
    let opening = Connection::builder()
        .container_id(format!("local-azure-{}", Uuid::new_v4()))
        .scheme("amqp")
        .hostname(Some(endpoint.host.as_str()))
        .sasl_profile(SaslProfile::Plain { username: endpoint.key_name.clone(), password: endpoint.key.clone() })
        .idle_time_out(IDLE_TIME_OUT)
        .open_with_stream(stream);
    opening.await.map_err(|error| error.to_string())
}

async fn tls(host: &str, stream: TcpStream) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(io::Error::other)?
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}
