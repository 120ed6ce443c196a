//! A Service Bus namespace that official SDKs can use over AMQP 1.0, with everything that a test may want to read from it
//! and do to it.
//!
//! AMQP and administration over HTTP share a port.
//!
//! It works with frames, not with an AMQP acceptor: only so can delivery tags be lock tokens, refused links carry their
//! error, and locks wait for a receiver's credit, as on the service.

mod administration;
mod broker;
mod call_log;
mod faults;
mod outgoing;
mod protocol;
mod schedule;
mod sections;
mod setup;
mod signature;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock;
use broker::Broker;
pub use broker::{
    BrokerError, CorrelationFilter, Filter, MalformedMessage, Partitioning, PeekOrder, Rule, SqlFilter, SqlFilterError,
    StoredMessage, SubscriptionConfig, SubscriptionStatus, TopicConfig,
};
use call_log::CallLog;
pub use call_log::{Call, Direction, Settlement};
use faults::Faults;
pub use faults::{Effect, Fault, Operation};
pub use outgoing::OutgoingMessage;
pub(crate) use sections::hex;
pub use serde_amqp::Value;
pub use setup::{SubscriptionSummary, TopicSummary};

/// Decides on a token of Microsoft Entra: the time at which it expires, or nothing if it is refused.
pub type TokenCheck = Arc<dyn Fn(&str) -> Option<OffsetDateTime> + Send + Sync>;

/// How a namespace is set up.
#[derive(Clone)]
pub struct ServiceBusConfig {
    /// Where it listens; a port of 0 means any free one.
    pub addr: SocketAddr,
    /// Its name.
    pub namespace: String,
    /// The name of its only shared access policy.
    pub key_name: String,
    /// The policy's key, as it is in connection strings.
    pub key: String,
    /// Decides on tokens that are not shared access signatures. Without it all are refused.
    pub token_check: Option<TokenCheck>,
    /// Whether a token for a topic or for the namespace opens the topic's subscriptions too. Which of the two is true of
    /// `$management` on the service is not documented, so a client must cope with both.
    pub topic_tokens_cover_subscriptions: bool,
    /// How long a silent client is kept; it is announced to clients.
    pub idle_time_out: Duration,
}

impl ServiceBusConfig {
    /// A namespace called `local` on any free port, with the service's defaults.
    pub fn new() -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            namespace: "local".to_owned(),
            key_name: "RootManageSharedAccessKey".to_owned(),
            key: "local-azure-key".to_owned(),
            token_check: None,
            topic_tokens_cover_subscriptions: true,
            idle_time_out: Duration::from_mins(2),
        }
    }
}

impl Default for ServiceBusConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ServiceBusConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBusConfig")
            .field("addr", &self.addr)
            .field("namespace", &self.namespace)
            .field("key_name", &self.key_name)
            .finish_non_exhaustive()
    }
}

/// A running namespace. It stops when its last handle is dropped.
#[derive(Clone, Debug)]
pub struct ServiceBus(Arc<Running>);

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    addr: SocketAddr,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// What every connection works on.
#[derive(Debug)]
struct Shared {
    config: ServiceBusConfig,
    broker: Mutex<Broker>,
    /// Notified when a message may have become available to receivers.
    available: watch::Sender<()>,
    /// Notified when every connection is to be closed.
    cut: watch::Sender<()>,
    faults: Faults,
    calls: CallLog,
}

impl Shared {
    fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceBus {
    /// Starts listening.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(config: ServiceBusConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.addr).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config,
            broker: Mutex::default(),
            available: watch::Sender::new(()),
            cut: watch::Sender::new(()),
            faults: Faults::default(),
            calls: CallLog::default(),
        });
        let stop = CancellationToken::new();
        let (handed_over, others) = mpsc::unbounded_channel();
        tokio::spawn(administration::serve(others, Arc::clone(&shared), stop.clone()));
        tokio::spawn(protocol::accept(listener, Arc::clone(&shared), handed_over, stop.clone()));
        Ok(Self(Arc::new(Running { shared, addr, _stop_on_drop: stop.clone().drop_guard(), stop })))
    }

    /// Closes the listener and all connections.
    pub fn shutdown(&self) {
        self.0.stop.cancel();
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.0.addr.port()
    }

    /// The namespace's name.
    pub fn namespace(&self) -> &str {
        &self.0.shared.config.namespace
    }

    /// What clients connect with: plain AMQP, full rights.
    pub fn connection_string(&self) -> String {
        let ServiceBusConfig { key_name, key, .. } = &self.0.shared.config;
        format!(
            "Endpoint=sb://{};SharedAccessKeyName={key_name};SharedAccessKey={key};UseDevelopmentEmulator=true",
            self.0.addr
        )
    }

    /// Puts a message into a topic, as if it had been sent. A scheduled one needs a Tokio runtime.
    pub fn publish(&self, topic: &str, message: OutgoingMessage) -> Result<(), BrokerError> {
        self.publish_all(topic, [message])
    }

    /// Puts messages into a topic, in order.
    pub fn publish_all(
        &self,
        topic: &str,
        messages: impl IntoIterator<Item = OutgoingMessage>,
    ) -> Result<(), BrokerError> {
        let now = clock::now();
        for message in messages {
            schedule::publish(&self.0.shared, topic, message.into_stored(), now)?;
        }
        self.0.shared.available.send_replace(());
        Ok(())
    }

    /// The requests of clients so far, in order.
    pub fn call_log(&self) -> Vec<Call> {
        self.0.shared.calls.snapshot()
    }

    /// Forgets the requests of clients.
    pub fn clear_call_log(&self) {
        self.0.shared.calls.clear();
    }

    /// Closes the sockets of all connections, in the middle of whatever they do. Clients may connect again.
    pub fn drop_connections(&self) {
        self.0.shared.cut.send_replace(());
    }

    /// Adds a fault.
    pub fn inject(&self, fault: Fault) {
        self.0.shared.faults.inject(fault);
    }

    /// The faults, each with how often it will still happen.
    pub fn faults(&self) -> Vec<Fault> {
        self.0.shared.faults.all()
    }

    /// Removes all faults; what hangs already goes on hanging.
    pub fn clear_faults(&self) {
        self.0.shared.faults.clear();
    }
}
