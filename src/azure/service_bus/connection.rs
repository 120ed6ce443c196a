//! A connection to the namespace, and the sessions on it.

use std::net::Shutdown;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Connection as AmqpConnection, Session};
use futures_util::FutureExt as _;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use super::failure::{Failure, NO_AMQP};
use super::request_response::LinkPair;
use crate::addresses;
use crate::error::Cause;
use crate::sync::Mutex;
use crate::tls;

/// The largest accepted frame, in bytes, as in the official Python SDK. The service's own limit is 64 KiB.
const MAX_FRAME_BYTES: u32 = 1 << 20;

/// The highest channel number: the service's own limit.
const MAX_CHANNEL: u16 = 4999;

/// How long the connection may be silent, in milliseconds, as in the official JavaScript SDK. By then a dead connection is
/// noticed.
const IDLE_TIMEOUT_MILLIS: u32 = 60_000;

/// Pairs of links on one session. The service ends a session with more than 255 links. A pair has two, and a replaced pair
/// may still be closing.
const MAX_PAIRS_PER_SESSION: usize = 100;

/// How long to wait for the service to confirm the close. Nothing is lost without it, and a process that must end has a
/// second left after its last pass. fe2o3-amqp 0.18.4 keeps a processor busy until then.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

/// An open connection. Dropping it ends it at once, with everything in progress.
#[derive(Debug)]
pub(super) struct Connection {
    sessions: Arc<Sessions>,
    /// The connection's socket. Tasks that wait for the service hold the connection too; shutting the socket down reaches
    /// all of them.
    socket: std::net::TcpStream,
}

impl Connection {
    /// Connects, under TLS if the endpoint wants it, and opens an AMQP connection. Cancel-safe.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, Failure> {
        let lost = |error: std::io::Error| {
            let Endpoint { host, port, .. } = endpoint.clone();
            Failure::ConnectionLost(Cause::new(NotConnected::Unreachable { host, port, error }))
        };
        let stream = addresses::connect(&endpoint.host, endpoint.port).await.map_err(lost)?;
        // Without this, small requests wait for one another, and reading a backlog takes twenty times as long.
        stream.set_nodelay(true).map_err(lost)?;
        let stream = stream.into_std().map_err(lost)?;
        let socket = stream.try_clone().map_err(lost)?;
        let stream = TcpStream::from_std(stream).map_err(lost)?;
        if endpoint.tls {
            let host = endpoint.host.clone();
            let name = ServerName::try_from(host.clone())
                .map_err(|error| Failure::Misconfigured(Cause::new(NotConnected::NoHostName { host, error })))?;
            let config = tls::client_config().map_err(|error| Failure::ConnectionLost(Cause::new(error)))?;
            let stream = TlsConnector::from(config).connect(name, stream).await.map_err(lost)?;
            Self::over(&endpoint.host, stream, socket).await
        } else {
            Self::over(&endpoint.host, stream, socket).await
        }
    }

    /// Opens an AMQP connection over a stream and the socket below it. Cancel-safe.
    pub(super) async fn over<Io>(host: &str, stream: Io, socket: std::net::TcpStream) -> Result<Self, Failure>
    where
        Io: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static,
    {
        let builder = AmqpConnection::builder()
            .container_id(format!("aci-scaler-{}", Uuid::new_v4()))
            // The stream already has TLS.
            .scheme("amqp")
            .hostname(host)
            .sasl_profile(SaslProfile::Anonymous)
            .max_frame_size(MAX_FRAME_BYTES)
            .channel_max(MAX_CHANNEL)
            .idle_time_out(IDLE_TIMEOUT_MILLIS);
        // Frames that make no sense may make the library panic. In the tasks that it spawns, that only ends the connection.
        let opened = AssertUnwindSafe(builder.open_with_stream(stream)).catch_unwind().await;
        let connection = opened.map_err(|_| Failure::ConnectionLost(NO_AMQP.into()))??;
        let sessions = Sessions { connection: connection.into(), idle: Mutex::default() };
        Ok(Self { sessions: Arc::new(sessions), socket })
    }

    /// Attaches a pair of links to a node. Cancel-safe: the attach then completes in the background.
    pub(super) async fn attach(&self, node: String) -> Result<LinkPair, Failure> {
        let attaching = tokio::spawn(Arc::clone(&self.sessions).attach(node));
        attaching.await.unwrap_or_else(|error| Err(Failure::LinkLost(Cause::new(error))))
    }

    /// Closes the connection, if the service answers in time.
    pub(super) async fn close(&self) {
        let closing = async { self.sessions.connection.lock().await.close().await };
        match timeout(CLOSE_TIMEOUT, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the connection was not closed in an orderly way"),
            Err(_) => tracing::debug!("the service did not answer the closing of the connection"),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It fails if the connection is already gone.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

#[derive(Debug, thiserror::Error)]
enum NotConnected {
    #[error("{host}:{port} cannot be reached")]
    Unreachable {
        host: String,
        port: u16,
        #[source]
        error: std::io::Error,
    },
    #[error("{host} is not a host name")]
    NoHostName {
        host: String,
        #[source]
        error: InvalidDnsNameError,
    },
}

/// fe2o3-amqp attaches one link at a time on a session. So each attach has a session to itself, and a new session begins
/// when all are in use: many links attach concurrently, and one that the service never answers holds up no other.
#[derive(Debug)]
struct Sessions {
    connection: tokio::sync::Mutex<ConnectionHandle<()>>,
    /// Sessions with no attach in progress.
    idle: Mutex<Vec<OpenSession>>,
}

#[derive(Debug)]
struct OpenSession {
    handle: SessionHandle<()>,
    pairs: usize,
    takes_more: bool,
}

impl Sessions {
    async fn attach(self: Arc<Self>, node: String) -> Result<LinkPair, Failure> {
        let mut session = self.take().await?;
        let pair = LinkPair::attach(&mut session.handle, &node).await;
        tracing::debug!(node, attached = pair.is_ok(), "links are attached");
        session.pairs += 1;
        // After a refusal fe2o3-amqp may still send a detach for a handle that the next link would get; that link would end the
        // session.
        session.takes_more = pair.is_ok() && session.pairs < MAX_PAIRS_PER_SESSION;
        // A full session is kept, because dropping it would end its links.
        self.idle.lock().push(session);
        pair
    }

    async fn take(&self) -> Result<OpenSession, Failure> {
        if let Some(session) = self.take_idle() {
            return Ok(session);
        }
        let mut connection = self.connection.lock().await;
        // One may have become free while this task waited for its turn to begin another.
        if let Some(session) = self.take_idle() {
            return Ok(session);
        }
        let handle = Session::begin(&mut connection).await?;
        Ok(OpenSession { handle, pairs: 0, takes_more: true })
    }

    fn take_idle(&self) -> Option<OpenSession> {
        let mut idle = self.idle.lock();
        idle.retain(|session| !session.handle.is_ended());
        let index = idle.iter().position(|session| session.takes_more)?;
        Some(idle.swap_remove(index))
    }
}
