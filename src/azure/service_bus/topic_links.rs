//! The links to a topic's subscriptions on one connection: attached when they are first needed, and authorized.
//!
//! A token for the topic is put first. Whether it opens the management nodes of the topic's subscriptions is not
//! documented; where it does not, each gets a token of its own.
//!
//! Sources: azure-docs `service-bus-amqp-request-response.md`, "Peek Message"; `omit-message-body` is what
//! Microsoft's JavaScript SDK sends for its own use (azure-sdk-for-js#21002).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::{OrderedMap, Value};

use super::Namespace;
use super::cbs::{Cbs, Renewal};
use super::connection::Connection;
use super::failure::Failure;
use super::request_response::LinkPair;

/// How much earlier than the client the service gives a request up, so that an entity that stalls is reported and not
/// just silent (azure-sdk-for-go#26421).
const SERVER_HEADROOM: Duration = Duration::from_secs(1);

/// A connection with what was attached and authorized on it.
#[derive(Debug)]
pub(super) struct TopicLinks {
    connection: Connection,
    cbs: Cbs,
    host: String,
    topic: String,
    /// The token for the whole topic, if that is enough.
    topic_token: tokio::sync::Mutex<Option<Renewal>>,
    /// Whether the service wants a token for each subscription.
    needs_entity_tokens: AtomicBool,
    lost: AtomicBool,
    subscriptions: Mutex<HashMap<String, Arc<tokio::sync::Mutex<SubscriptionLinks>>>>,
}

#[derive(Debug, Default)]
struct SubscriptionLinks {
    links: Option<LinkPair>,
    token: Option<Renewal>,
}

impl TopicLinks {
    /// Connects and puts a token. It may be cancelled.
    pub(super) async fn open(namespace: &Namespace) -> Result<Self, Failure> {
        let connection = Connection::open(&namespace.endpoint).await?;
        let cbs = Cbs::attach(&connection, namespace.tokens.clone()).await?;
        let links = Self {
            connection,
            cbs,
            host: namespace.endpoint.host.clone(),
            topic: namespace.topic.clone(),
            topic_token: tokio::sync::Mutex::default(),
            needs_entity_tokens: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            subscriptions: Mutex::default(),
        };
        match links.authorize_topic().await {
            Err(Failure::Unauthorized(_)) if namespace.tokens.may_be_for_one_subscription() => {
                links.needs_entity_tokens.store(true, Ordering::Relaxed);
            }
            authorized => authorized?,
        }
        Ok(links)
    }

    /// Asks for messages; the reply's body. It may be cancelled.
    ///
    /// `patience` is how long the answer is waited for; the service is told to be done a little earlier.
    pub(super) async fn peek(
        &self,
        subscription: &str,
        from: i64,
        count: u32,
        patience: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let result = self.request_messages(subscription, from, count, patience).await;
        if let Err(Failure::ConnectionLost(_)) = result {
            self.lost.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Whether a peek has found the connection gone.
    pub(super) fn are_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// The service does not take the topic's token for its subscriptions, or not any more.
    pub(super) async fn authorize_again(&self, subscription: &str) {
        self.needs_entity_tokens.store(true, Ordering::Relaxed);
        self.slot(subscription).lock().await.token = None;
    }

    /// Ends the connection in an orderly way, if the service plays along.
    pub(super) async fn close(&self) {
        self.connection.close().await;
    }

    async fn request_messages(
        &self,
        subscription: &str,
        from: i64,
        count: u32,
        patience: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let links = self.links(subscription).await?;
        let server_timeout = u32::try_from(patience.saturating_sub(SERVER_HEADROOM).as_millis()).unwrap_or(u32::MAX);
        let properties = ApplicationProperties::builder()
            .insert("operation", "com.microsoft:peek-message")
            .insert("com.microsoft:server-timeout", server_timeout);
        let body: OrderedMap<Value, Value> = [
            ("from-sequence-number", Value::Long(from)),
            ("message-count", Value::Int(i32::try_from(count).unwrap_or(i32::MAX))),
            ("omit-message-body", Value::Bool(true)),
        ]
        .into_iter()
        .map(|(key, value)| (Value::String(key.to_owned()), value))
        .collect();
        let reply = links.request(properties.build(), Value::Map(body)).await?;
        // Another way to say that there are none, which the .NET SDK knows of.
        if reply.condition == "com.microsoft:message-not-found" {
            return Ok(Vec::new());
        }
        reply.into_body()
    }

    /// The subscription's links, attached and authorized.
    async fn links(&self, subscription: &str) -> Result<LinkPair, Failure> {
        let slot = self.slot(subscription);
        let mut slot = slot.lock().await;
        if self.needs_entity_tokens.load(Ordering::Relaxed) {
            if slot.token.is_none_or(Renewal::is_due) {
                slot.token = Some(self.cbs.put_token(&self.resource_of(subscription)).await?);
            }
        } else {
            self.authorize_topic().await?;
        }
        if let Some(links) = slot.links.as_ref().filter(|links| !links.is_closed()) {
            return Ok(links.clone());
        }
        let node = format!("{}/Subscriptions/{subscription}/$management", self.topic);
        let links = self.connection.attach(node).await?;
        slot.links = Some(links.clone());
        Ok(links)
    }

    /// Puts a token for the topic if there is none or it is time for another.
    async fn authorize_topic(&self) -> Result<(), Failure> {
        let mut token = self.topic_token.lock().await;
        if token.is_none_or(Renewal::is_due) {
            *token = Some(self.cbs.put_token(&format!("sb://{}/{}", self.host, self.topic)).await?);
        }
        Ok(())
    }

    fn resource_of(&self, subscription: &str) -> String {
        format!("sb://{}/{}/Subscriptions/{subscription}", self.host, self.topic)
    }

    fn slot(&self, subscription: &str) -> Arc<tokio::sync::Mutex<SubscriptionLinks>> {
        let mut subscriptions = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(subscriptions.entry(subscription.to_owned()).or_default())
    }
}
