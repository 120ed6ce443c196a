//! Service Bus over AMQP 1.0: it peeks, and never receives, locks or settles.
//!
//! From the outside in: [`ServiceBus`] connects; `peek` requests pages and handles failures; `topic_links` attaches and
//! authorizes; `cbs`, `sas` and `request_response` are parts of the protocol; `connection` holds the socket; `decode` reads
//! the messages.

mod cbs;
mod connection;
mod decode;
mod encoded;
mod failure;
#[cfg(fuzzing)]
pub mod fuzzing;
mod peek;
mod request_response;
mod sas;
mod topic_links;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

pub use cbs::EntraTokens;
use cbs::Tokens;
use connection::Endpoint;
use failure::Failure;
pub use peek::ServiceBusPeeker;
use topic_links::TopicLinks;

use crate::clock::Clock;
use crate::services::{Messages, PeekError};
use crate::settings::ServiceBusSettings;
use crate::sync::Mutex;

/// How long connecting may take: TCP, TLS, AMQP and the first token, eight exchanges that take well under a second
/// between Azure's regions.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Attempts to connect in a row: a load balancer that is being replaced resets a connection or two.
const CONNECT_ATTEMPTS: u32 = 3;

/// The wait before the next attempt to connect; it doubles.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// How long a kept connection may take to answer a token. That is one exchange; a connection that needs longer is better
/// replaced while there is time to connect.
const REVIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a peek may take, including attaching its links and retries. The service answers within a second; a peek that
/// takes this long has failed, and a pass of four minutes can afford a few of them.
pub const PEEK_TIMEOUT: Duration = Duration::from_secs(20);

/// The topic's namespace, and the connection that the last pass kept for the next one.
///
/// Usually a pass needs the same links as the last one, and attaching them is most of its work. So a connection without
/// failures is kept. The next pass first puts a token on it, which shows that the service still answers; if that fails, or at
/// the first sign of an unexpected state, a new connection replaces it. A pass that connects takes the kept connection, so
/// that no two passes share it.
#[derive(Debug)]
pub struct ServiceBus {
    namespace: Namespace,
    kept: Kept,
}

/// The place for a connection between two passes.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Option<TopicLinks>>>);

impl Kept {
    fn replace(&self, links: Option<TopicLinks>) -> Option<TopicLinks> {
        std::mem::replace(&mut *self.0.lock(), links)
    }
}

/// The topic's address and credentials.
#[derive(Clone, Debug)]
struct Namespace {
    endpoint: Endpoint,
    topic: String,
    tokens: Tokens,
    peek_timeout: Duration,
}

impl Namespace {
    /// Connects, and retries at once where that may help, because the whole pass needs the connection. Cancel-safe.
    async fn open(&self) -> Result<TopicLinks, Failure> {
        let mut attempt = 1;
        loop {
            match TopicLinks::open(self).await {
                Err(Failure::ConnectionLost(reason)) if attempt < CONNECT_ATTEMPTS => {
                    tracing::debug!(attempt, %reason, "connecting again");
                    tokio::time::sleep(CONNECT_PAUSE * 2_u32.pow(attempt - 1)).await;
                    attempt += 1;
                }
                opened => return opened,
            }
        }
    }
}

impl ServiceBus {
    /// The topic in the settings. This opens no connection. `credential` is used if the settings say so; a peek that takes
    /// longer than `peek_timeout` fails.
    pub fn new(
        settings: &ServiceBusSettings,
        credential: Arc<dyn EntraTokens>,
        clock: Clock,
        peek_timeout: Duration,
    ) -> Self {
        let endpoint = Endpoint { host: settings.host.clone(), port: settings.port, tls: settings.tls };
        let tokens = Tokens { auth: settings.auth.clone(), credential, clock };
        let namespace = Namespace { endpoint, topic: settings.topic.clone(), tokens, peek_timeout };
        Self { namespace, kept: Kept::default() }
    }
}

impl Messages for ServiceBus {
    type Peeker = ServiceBusPeeker;

    async fn connect(&self) -> Result<Self::Peeker, PeekError> {
        let revived = match self.kept.replace(None) {
            Some(links) => timeout(REVIVE_TIMEOUT, links.revive()).await.ok().flatten(),
            None => None,
        };
        let links = match revived {
            Some(links) => links,
            None => timeout(CONNECT_TIMEOUT, self.namespace.open())
                .await
                .map_err(|_| PeekError::TimedOut { after: CONNECT_TIMEOUT })??,
        };
        Ok(ServiceBusPeeker::new(self.namespace.clone(), links, self.kept.clone()))
    }

    async fn close(&self) {
        if let Some(links) = self.kept.replace(None) {
            links.close().await;
        }
    }
}
