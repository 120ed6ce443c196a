//! Peeking the subscriptions of a topic over one connection.
//!
//! Nothing is received, locked or settled. A peek is over within [`PEEK_TIMEOUT`], and may be given up at any moment
//! without harm to the others. What goes wrong with one subscription leaves the others alone, except that a namespace
//! that is busy is left alone for all of them.
//!
//! Source: azure-docs `service-bus-amqp-request-response.md`, "Peek Message"; `omit-message-body` is what
//! Microsoft's JavaScript SDK sends for itself (azure-sdk-for-js#21002).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::{OrderedMap, Value};
use tokio::time::{Instant, timeout};

use super::cbs::{Cbs, Renewal};
use super::connection::Connection;
use super::failure::{BUSY_PAUSE, Failure};
use super::request_response::LinkPair;
use super::{Namespace, decode};
use crate::message::PeekedMessage;
use crate::services::{PeekError, Peeker};

/// How long a peek may take, attaching its links and trying again included. The service answers one within a second; one
/// that takes this long has failed, and a pass of four minutes can afford a few of them.
pub const PEEK_TIMEOUT: Duration = Duration::from_secs(20);

/// The service's own deadline. It is earlier than ours, so that an entity that stalls is reported and not abandoned
/// (azure-sdk-for-go#26421).
const SERVER_TIMEOUT_MILLIS: u32 = 19_000;

/// Peeks over one connection, and over one more if that is lost.
#[derive(Debug)]
pub struct ServiceBusPeeker {
    namespace: Namespace,
    current: tokio::sync::Mutex<Current>,
    busy_until: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Current {
    links: Arc<TopicLinks>,
    may_reconnect: bool,
}

impl ServiceBusPeeker {
    pub(super) async fn connect(namespace: Namespace) -> Result<Self, Failure> {
        let links = Arc::new(TopicLinks::open(&namespace).await?);
        Ok(Self { namespace, current: Current { links, may_reconnect: true }.into(), busy_until: Mutex::default() })
    }

    /// Peeks, and does about a failure what can be done about it at once.
    async fn peek_with_retries(&self, subscription: &str, from: i64, count: u32) -> Result<Vec<u8>, PeekError> {
        let mut count = count.max(1);
        let (mut waited_for_server, mut authorized_again, mut attached_again) = (false, false, false);
        loop {
            self.refuse_while_busy()?;
            let links = Arc::clone(&self.current.lock().await.links);
            let failure = match links.peek(subscription, from, count).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            tracing::debug!(subscription, from, count, ?failure, "a peek failed");
            match failure {
                Failure::Busy => {
                    *lock(&self.busy_until) = Some(Instant::now() + BUSY_PAUSE);
                    return Err(failure.into());
                }
                Failure::ServerTimeout(_) if !waited_for_server => {
                    waited_for_server = true;
                    count = count.div_ceil(2);
                }
                Failure::ReplyTooLarge if count > 1 => count /= 2,
                Failure::Unauthorized(_) if !authorized_again => {
                    authorized_again = true;
                    links.authorize_again(subscription).await;
                }
                Failure::LinkLost(_) if !attached_again => attached_again = true,
                Failure::ConnectionLost(_) => self.reconnect(&links, failure).await?,
                _ => return Err(failure.into()),
            }
        }
    }

    fn refuse_while_busy(&self) -> Result<(), PeekError> {
        let left = lock(&self.busy_until).map(|until| until.saturating_duration_since(Instant::now()));
        match left {
            Some(retry_after) if !retry_after.is_zero() => Err(PeekError::Busy { retry_after }),
            _ => Ok(()),
        }
    }

    /// Replaces a lost connection, once for all who have lost it.
    async fn reconnect(&self, lost: &Arc<TopicLinks>, failure: Failure) -> Result<(), PeekError> {
        let mut current = self.current.lock().await;
        if !Arc::ptr_eq(&current.links, lost) {
            return Ok(());
        }
        if !current.may_reconnect {
            return Err(failure.into());
        }
        current.may_reconnect = false;
        current.links = Arc::new(TopicLinks::open(&self.namespace).await?);
        Ok(())
    }
}

impl Peeker for ServiceBusPeeker {
    async fn peek(
        &self,
        subscription: &str,
        from_sequence_number: i64,
        count: u32,
    ) -> Result<Vec<PeekedMessage>, PeekError> {
        let peeking = self.peek_with_retries(subscription, from_sequence_number, count);
        let body = timeout(PEEK_TIMEOUT, peeking).await.map_err(|_| PeekError::TimedOut { after: PEEK_TIMEOUT })??;
        page(&body, from_sequence_number).map_err(|reason| PeekError::Unavailable { reason })
    }

    async fn close(self) {
        self.current.into_inner().links.connection.close().await;
    }
}

/// The messages of a reply, in order, each once.
///
/// # Errors
/// When there are messages but none that leads on: an empty page would say that there are no more.
fn page(body: &[u8], from: i64) -> Result<Vec<PeekedMessage>, String> {
    let encoded = decode::messages_of_reply(body)?;
    let mut messages: Vec<PeekedMessage> = encoded.iter().filter_map(|encoded| decode::message(encoded)).collect();
    let unreadable = encoded.len() - messages.len();
    messages.retain(|message| message.sequence_number >= from);
    if messages.is_empty() && !encoded.is_empty() {
        return Err(format!(
            "of {} messages {unreadable} have no sequence number, and the others come before the one asked for",
            encoded.len()
        ));
    }
    if unreadable > 0 {
        tracing::warn!(unreadable, "Messages without a sequence number are passed over");
    }
    messages.sort_by_key(|message| message.sequence_number);
    messages.dedup_by_key(|message| message.sequence_number);
    Ok(messages)
}

/// A connection with what was attached and authorized on it.
#[derive(Debug)]
struct TopicLinks {
    connection: Connection,
    cbs: Cbs,
    host: String,
    topic: String,
    /// The token for the whole topic, if that is enough.
    topic_token: tokio::sync::Mutex<Option<Renewal>>,
    /// Whether the service wants a token for each subscription.
    needs_entity_tokens: AtomicBool,
    subscriptions: Mutex<HashMap<String, Arc<tokio::sync::Mutex<SubscriptionLinks>>>>,
}

#[derive(Debug, Default)]
struct SubscriptionLinks {
    links: Option<LinkPair>,
    token: Option<Renewal>,
}

impl TopicLinks {
    async fn open(namespace: &Namespace) -> Result<Self, Failure> {
        let connection = Connection::open(&namespace.endpoint).await?;
        let cbs = Cbs::attach(&connection, namespace.tokens.clone()).await?;
        let links = Self {
            connection,
            cbs,
            host: namespace.endpoint.host.clone(),
            topic: namespace.topic.clone(),
            topic_token: tokio::sync::Mutex::default(),
            needs_entity_tokens: AtomicBool::new(false),
            subscriptions: Mutex::default(),
        };
        match links.authorize_topic().await {
            // A signature made elsewhere may be for one subscription.
            Err(Failure::Unauthorized(_)) if namespace.has_foreign_signature() => {
                links.needs_entity_tokens.store(true, Ordering::Relaxed);
            }
            authorized => authorized?,
        }
        Ok(links)
    }

    /// One request for messages; the reply's body.
    async fn peek(&self, subscription: &str, from: i64, count: u32) -> Result<Vec<u8>, Failure> {
        let links = self.links(subscription).await?;
        let properties = ApplicationProperties::builder()
            .insert("operation", "com.microsoft:peek-message")
            .insert("com.microsoft:server-timeout", SERVER_TIMEOUT_MILLIS);
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

    /// The service does not take the topic's token for its subscriptions, or not any more.
    async fn authorize_again(&self, subscription: &str) {
        self.needs_entity_tokens.store(true, Ordering::Relaxed);
        self.slot(subscription).lock().await.token = None;
    }

    fn resource_of(&self, subscription: &str) -> String {
        format!("sb://{}/{}/Subscriptions/{subscription}", self.host, self.topic)
    }

    fn slot(&self, subscription: &str) -> Arc<tokio::sync::Mutex<SubscriptionLinks>> {
        Arc::clone(lock(&self.subscriptions).entry(subscription.to_owned()).or_default())
    }
}

/// Nothing panics while it holds the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
