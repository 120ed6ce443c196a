//! Service Bus over AMQP 1.0: it peeks, and never receives, locks or settles.
//!
//! From the outside in: [`ServiceBus`] connects; `peek` asks for pages and knows what to do about failures;
//! `topic_links` attaches and authorizes; `cbs`, `sas` and `request_response` are the protocol's parts; `connection`
//! holds the socket; `decode` reads what was peeked.

mod cbs;
mod connection;
pub mod connection_string;
mod decode;
mod failure;
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
pub use peek::ServiceBusPeeker;

use crate::clock::Clock;
use crate::services::{Messages, PeekError};
use crate::settings::ServiceBusSettings;

/// How long connecting may take: TCP, TLS, AMQP and the first token, eight exchanges that take well under a second
/// between Azure's regions.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peek may take, attaching its links and trying again included. The service answers one within a second;
/// one that takes this long has failed, and a pass of four minutes can afford a few of them.
pub const PEEK_TIMEOUT: Duration = Duration::from_secs(20);

/// The topic's namespace.
#[derive(Clone, Debug)]
pub struct ServiceBus(Namespace);

/// Where the topic is and what opens it.
#[derive(Clone, Debug)]
struct Namespace {
    endpoint: Endpoint,
    topic: String,
    tokens: Tokens,
    peek_timeout: Duration,
}

impl ServiceBus {
    /// The topic that the settings name. Nothing is connected yet. `credential` is used if the settings say so.
    pub fn new(settings: &ServiceBusSettings, credential: Arc<dyn EntraTokens>, clock: Clock) -> Self {
        let endpoint = Endpoint { host: settings.host.clone(), port: settings.port, tls: settings.tls };
        let tokens = Tokens { auth: settings.auth.clone(), credential, clock };
        Self(Namespace { endpoint, topic: settings.topic.clone(), tokens, peek_timeout: PEEK_TIMEOUT })
    }

    /// Gives a peek as long instead of [`PEEK_TIMEOUT`].
    #[must_use]
    pub fn with_peek_timeout(mut self, timeout: Duration) -> Self {
        self.0.peek_timeout = timeout;
        self
    }
}

impl Messages for ServiceBus {
    type Peeker = ServiceBusPeeker;

    async fn connect(&self) -> Result<Self::Peeker, PeekError> {
        let connected = timeout(CONNECT_TIMEOUT, ServiceBusPeeker::connect(self.0.clone())).await;
        Ok(connected.map_err(|_| PeekError::TimedOut { after: CONNECT_TIMEOUT })??)
    }
}
