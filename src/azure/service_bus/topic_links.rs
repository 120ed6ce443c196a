//! The links to a topic's subscriptions on one connection: attached when first needed, authorized, and kept for the next pass
//! as long as none fails.
//!
//! It first puts a token for the topic. Whether that authorizes the management nodes of the topic's subscriptions is not
//! documented; if it does not, each subscription gets its own token.
//!
//! Sources: azure-docs `service-bus-amqp-request-response.md`, "Peek Message"; `omit-message-body` is what
//! Microsoft's JavaScript SDK sends for its own use (azure-sdk-for-js#21002).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::{OrderedMap, Value};

use super::Namespace;
use super::cbs::{Cbs, Renewal};
use super::connection::Connection;
use super::failure::Failure;
use super::request_response::LinkPair;
use crate::sync::Mutex;

/// How much earlier than the client the service ends a request, so that it reports a stalled entity instead of staying silent
/// (azure-sdk-for-go#26421).
const SERVER_HEADROOM: Duration = Duration::from_secs(1);

/// A connection with its attached and authorized links.
#[derive(Debug)]
pub(super) struct TopicLinks {
    connection: Connection,
    cbs: Cbs,
    host: String,
    topic: String,
    /// The token for the whole topic, if it suffices.
    topic_token: tokio::sync::Mutex<Option<Renewal>>,
    /// Whether the service wants a token for each subscription.
    needs_entity_tokens: AtomicBool,
    lost: AtomicBool,
    /// Whether another pass has used it before.
    kept: bool,
    subscriptions: Mutex<HashMap<String, Arc<Subscription>>>,
}

#[derive(Debug, Default)]
struct Subscription {
    links: tokio::sync::Mutex<SubscriptionLinks>,
    /// Whether it was peeked in this pass, the last time successfully.
    answered: AtomicBool,
}

#[derive(Debug, Default)]
struct SubscriptionLinks {
    pair: Option<LinkPair>,
    token: Option<Renewal>,
}

impl TopicLinks {
    /// Connects and puts a token. Cancel-safe.
    pub(super) async fn open(namespace: &Namespace) -> Result<Self, Failure> {
        Self::over(Connection::open(&namespace.endpoint).await?, namespace).await
    }

    /// Puts a token on a connection. Cancel-safe.
    pub(super) async fn over(connection: Connection, namespace: &Namespace) -> Result<Self, Failure> {
        let cbs = Cbs::attach(&connection, namespace.tokens.clone()).await?;
        let links = Self {
            connection,
            cbs,
            host: namespace.endpoint.host.clone(),
            topic: namespace.topic.clone(),
            topic_token: tokio::sync::Mutex::default(),
            needs_entity_tokens: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            kept: false,
            subscriptions: Mutex::default(),
        };
        links.put_topic_token().await?;
        Ok(links)
    }

    /// Prepares it for another pass, or drops it if its state has changed. Cancel-safe.
    ///
    /// The answer to the token shows that the connection is alive, which nothing else shows if the network has forgotten it.
    /// It arrives while the subscriptions are being listed.
    pub(super) async fn revive(mut self) -> Option<Self> {
        let subscriptions = self.subscriptions.get_mut();
        let closed = |of: &Arc<Subscription>| {
            of.answered.store(false, Ordering::Relaxed);
            !of.links.try_lock().is_ok_and(|links| links.open_pair().is_some())
        };
        if subscriptions.values().any(closed) {
            tracing::debug!("links were closed since the last pass: a new connection is opened");
            return None;
        }
        self.kept = true;
        *self.topic_token.get_mut() = None;
        match self.put_topic_token().await {
            Ok(()) => Some(self),
            Err(failure) => {
                tracing::debug!(?failure, "the last pass's connection is not used again");
                None
            }
        }
    }

    /// Whether another pass may use it: every subscription that it has links to was peeked, the last time successfully.
    ///
    /// It never detaches a link: when a subscription is gone, the whole connection is replaced.
    pub(super) fn may_be_kept(&mut self) -> bool {
        let subscriptions = self.subscriptions.get_mut();
        !self.lost.load(Ordering::Relaxed)
            && subscriptions.values().all(|subscription| subscription.answered.load(Ordering::Relaxed))
    }

    /// The subscriptions that it has links to.
    pub(super) fn subscriptions(&self) -> Vec<String> {
        self.subscriptions.lock().keys().cloned().collect()
    }

    /// Whether another pass has used it before.
    pub(super) fn were_kept(&self) -> bool {
        self.kept
    }

    /// The next use must be of another connection.
    pub(super) fn give_up(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Requests messages and returns the reply's body. Cancel-safe.
    ///
    /// It waits `patience` for the answer; the service gets a slightly shorter deadline.
    pub(super) async fn peek(
        &self,
        subscription: &str,
        from: i64,
        count: u32,
        patience: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let state = self.subscription(subscription);
        state.answered.store(false, Ordering::Relaxed);
        let result = self.request_messages(subscription, &state, from, count, patience).await;
        match &result {
            Ok(_) => state.answered.store(true, Ordering::Relaxed),
            Err(Failure::ConnectionLost(_)) => self.give_up(),
            Err(_) => {}
        }
        result
    }

    /// Whether this connection is gone, so that another must be used.
    pub(super) fn are_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// The service does not accept the topic's token for its subscriptions, or no longer.
    pub(super) async fn authorize_again(&self, subscription: &str) {
        self.cbs.replace_token().await;
        self.needs_entity_tokens.store(true, Ordering::Relaxed);
        self.subscription(subscription).links.lock().await.token = None;
    }

    /// Closes the connection, if the service answers in time.
    pub(super) async fn close(&self) {
        self.connection.close().await;
    }

    async fn request_messages(
        &self,
        subscription: &str,
        state: &Subscription,
        from: i64,
        count: u32,
        patience: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let links = self.links(subscription, state).await?;
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
        // Another way to say that there are none, which the .NET SDK handles too.
        if reply.condition == "com.microsoft:message-not-found" {
            return Ok(Vec::new());
        }
        reply.into_body()
    }

    /// The subscription's links, attached and authorized.
    async fn links(&self, subscription: &str, state: &Subscription) -> Result<LinkPair, Failure> {
        let mut links = state.links.lock().await;
        if self.needs_entity_tokens.load(Ordering::Relaxed) {
            if links.token.is_none_or(Renewal::is_due) {
                links.token = Some(self.cbs.put_token(&self.resource_of(subscription)).await?);
            }
        } else {
            self.authorize_topic().await?;
        }
        if let Some(pair) = links.open_pair() {
            return Ok(pair.clone());
        }
        let node = format!("{}/Subscriptions/{subscription}/$management", self.topic);
        Ok(links.pair.insert(self.connection.attach(node).await?).clone())
    }

    /// Puts a token for the topic. If that cannot suffice, each subscription gets its own later.
    async fn put_topic_token(&self) -> Result<(), Failure> {
        match self.authorize_topic().await {
            Err(Failure::Unauthorized(_)) if self.cbs.may_be_for_one_subscription() => {
                self.needs_entity_tokens.store(true, Ordering::Relaxed);
                Ok(())
            }
            authorized => authorized,
        }
    }

    /// Puts a token for the topic if there is none, or if it must be replaced.
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

    fn subscription(&self, name: &str) -> Arc<Subscription> {
        let mut subscriptions = self.subscriptions.lock();
        if let Some(subscription) = subscriptions.get(name) {
            return Arc::clone(subscription);
        }
        Arc::clone(subscriptions.entry(name.to_owned()).or_default())
    }
}

impl SubscriptionLinks {
    fn open_pair(&self) -> Option<&LinkPair> {
        self.pair.as_ref().filter(|pair| !pair.is_closed())
    }
}
