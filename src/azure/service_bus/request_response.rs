//! Requests and replies over a pair of links to a node.
//!
//! A reply goes only to the request whose id it carries; a reply to a dropped request is dropped. The task that owns a pair's
//! links closes them and never just drops them, even if its users disappear: fe2o3-amqp ends the session, and sometimes the
//! connection, if a link disappears while frames for it arrive.
//!
//! Source: azure-docs `service-bus-amqp-request-response.md`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Delivery, Receiver, Sender};
use fe2o3_amqp_types::definitions::{ReceiverSettleMode, SenderSettleMode};
use fe2o3_amqp_types::messaging::{
    AmqpValue, ApplicationProperties, Body, Message, MessageId, Outcome, Properties, Source, Target,
};
use fe2o3_amqp_types::primitives::{SimpleValue, Value};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::encoded::Encoded;
use super::failure::Failure;
use crate::sync::Mutex;

/// Replies that the service may send before they are read. Each page follows the last, so there is one reply at a time, and
/// a few late ones after time-outs.
const CREDIT: u32 = 4;

/// The largest accepted reply, in bytes. The service fills a page to about 1 MiB, unless one message alone is larger; requests
/// leave out the bodies, which make messages large. With [`CREDIT`] it limits a pair's memory.
const MAX_REPLY_BYTES: u64 = 16 << 20;

/// Requests that wait for the links. Each caller waits anyway; this only decouples the tasks.
const QUEUE: usize = 16;

/// A pair of links to one node. Clones share it; it closes when the last one is dropped.
#[derive(Clone, Debug)]
pub(super) struct LinkPair {
    requests: mpsc::Sender<QueuedRequest>,
    /// Why its links are gone, if they are.
    closed: Arc<OnceLock<Failure>>,
}

/// The node's answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: Option<i64>,
    /// The error's condition; empty if there is none.
    pub(super) condition: String,
    pub(super) description: String,
    /// The body, encoded; empty if there is none.
    pub(super) body: Vec<u8>,
}

/// On the heap, because a channel takes the room for 32 when it is made, and most of the time there is none.
type QueuedRequest = Box<Request>;

/// Not `Debug`: a body may be a token.
struct Request {
    properties: ApplicationProperties,
    body: Value,
    reply: oneshot::Sender<Result<Reply, Failure>>,
}

impl LinkPair {
    /// Attaches a pair to a node.
    ///
    /// Not cancel-safe: the late answer would end the session.
    pub(super) async fn attach(session: &mut SessionHandle<()>, node: &str) -> Result<Self, Failure> {
        let name = format!("aci-scaler-{}", Uuid::new_v4());
        let sender = Sender::builder()
            .name(format!("{name}-requests"))
            .source(Source::builder().address(name.as_str()).build())
            .target(node)
            .attach(session)
            .await?;
        let receiver = Receiver::builder()
            .name(name.as_str())
            .source(node)
            .target(Target::builder().address(name.as_str()).build())
            .receiver_settle_mode(ReceiverSettleMode::First)
            // The service stops sending once its window is full of unsettled replies.
            .sender_settle_mode(SenderSettleMode::Settled)
            .max_message_size(MAX_REPLY_BYTES)
            .credit_mode(CreditMode::Auto(CREDIT))
            // Accepting a delivery renews the credit, even of a settled one.
            .auto_accept(true)
            .attach(session)
            .await;
        let receiver = match receiver {
            Ok(receiver) => receiver,
            Err(error) => {
                // If the sender cannot be closed, the session's end closes it.
                let _ = sender.close().await;
                return Err(error.into());
            }
        };
        let (requests, queue) = mpsc::channel(QUEUE);
        let closed = Arc::default();
        tokio::spawn(serve(Box::new(sender), Box::new(receiver), name, queue, Arc::clone(&closed)));
        Ok(Self { requests, closed })
    }

    /// Whether its links are gone.
    pub(super) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Sends a request and waits for its reply. Cancel-safe.
    pub(super) async fn request(&self, properties: ApplicationProperties, body: Value) -> Result<Reply, Failure> {
        let lost = || self.closed.get().cloned().unwrap_or_else(link_was_closed);
        let (reply, replied) = oneshot::channel();
        self.requests.send(Box::new(Request { properties, body, reply })).await.map_err(|_| lost())?;
        replied.await.map_err(|_| lost())?
    }
}

/// The requests that wait for replies, by id.
type Pending = Mutex<HashMap<String, oneshot::Sender<Result<Reply, Failure>>>>;

/// Owns the links until one of them fails or the last user is gone, and closes both.
///
/// There is one for each subscription, and most of the time it waits. So what is large and not needed for that, or would be in
/// it twice, is on the heap.
async fn serve(
    mut sender: Box<Sender>,
    mut receiver: Box<Receiver>,
    reply_to: String,
    mut queue: mpsc::Receiver<QueuedRequest>,
    closed: Arc<OnceLock<Failure>>,
) {
    let pending = Pending::default();
    let failure = tokio::select! {
        failure = send_all(&mut sender, &reply_to, &mut queue, &pending) => failure,
        failure = receive_all(&mut receiver, &pending) => Some(failure),
    };
    let failure = failure.unwrap_or_else(link_was_closed);
    tracing::debug!(link = reply_to, ?failure, "links are closed");
    // The reason comes first: from here on the pair counts as closed, and callers get the reason.
    let failure = closed.get_or_init(|| failure);
    queue.close();
    for (_, reply) in pending.lock().drain() {
        let _ = reply.send(Err(failure.clone()));
    }
    while let Some(request) = queue.recv().await {
        let _ = request.reply.send(Err(failure.clone()));
    }
    // Their errors only repeat the reason.
    let _ = Box::pin(receiver.close()).await;
    let _ = Box::pin(sender.close()).await;
}

fn link_was_closed() -> Failure {
    Failure::LinkLost("the link was closed".into())
}

/// Sends the requests; ends after the last user is gone, or when the link fails.
async fn send_all(
    sender: &mut Sender,
    reply_to: &str,
    queue: &mut mpsc::Receiver<QueuedRequest>,
    pending: &Pending,
) -> Option<Failure> {
    let mut last_id = 0_u64;
    let mut outcomes = FuturesUnordered::new();
    loop {
        tokio::select! {
            request = queue.recv() => {
                let Request { properties, body, reply } = *request?;
                if reply.is_closed() {
                    continue;
                }
                last_id += 1;
                let id = last_id.to_string();
                {
                    let mut pending = pending.lock();
                    pending.retain(|_, reply| !reply.is_closed());
                    pending.insert(id.clone(), reply);
                }
                let message = request_message(&id, reply_to, properties, body);
                match Box::pin(sender.send_batchable(message)).await {
                    Ok(outcome) => outcomes.push(async move { (id, outcome.await) }),
                    Err(error) => return Some(error.into()),
                }
            }
            Some((id, outcome)) = outcomes.next() => {
                // The reply answers an accepted request, and a failed link reports itself.
                if let Ok(Outcome::Rejected(rejected)) = outcome
                    && let Some(reply) = pending.lock().remove(&id)
                {
                    let refused = || Failure::Garbled("the request was rejected".into());
                    let _ = reply.send(Err(rejected.error.map_or_else(refused, Failure::from)));
                }
            }
            error = sender.on_detach() => return Some(error.into()),
        }
    }
}

fn request_message(
    id: &str,
    reply_to: &str,
    properties: ApplicationProperties,
    body: Value,
) -> Message<AmqpValue<Value>> {
    Message::builder()
        .properties(
            Properties::builder().message_id(MessageId::String(id.to_owned())).reply_to(reply_to.to_owned()).build(),
        )
        .application_properties(properties)
        .body(AmqpValue(body))
        .build()
}

/// Delivers replies until the link fails.
async fn receive_all(receiver: &mut Receiver, pending: &Pending) -> Failure {
    loop {
        let delivery: Delivery<Body<Encoded>> = match receiver.recv().await {
            Ok(delivery) => delivery,
            Err(error) => return error.into(),
        };
        let message = delivery.into_message();
        let Some(MessageId::String(id)) = message.properties.as_ref().and_then(|p| p.correlation_id.clone()) else {
            tracing::debug!("a reply without a correlation id is dropped");
            continue;
        };
        let Some(reply) = pending.lock().remove(&id) else {
            tracing::debug!(id, "a late reply is dropped");
            continue;
        };
        // The caller may have dropped the request in this moment.
        let _ = reply.send(Ok(Reply::from_message(message)));
    }
}

impl Reply {
    fn from_message(message: Message<Body<Encoded>>) -> Self {
        let properties = message.application_properties.unwrap_or_default();
        // `$cbs` and `$management` spell them differently.
        let property = |camel: &str, dashed: &str| properties.get(camel).or_else(|| properties.get(dashed));
        let body = match message.body {
            Body::Value(AmqpValue(Encoded(value))) => value,
            _ => Vec::new(),
        };
        Self {
            status: property("statusCode", "status-code").and_then(integer),
            condition: property("errorCondition", "error-condition").map(text).unwrap_or_default(),
            description: property("statusDescription", "status-description").map(text).unwrap_or_default(),
            body,
        }
    }

    /// The body, if the node reports success.
    pub(super) fn into_body(self) -> Result<Vec<u8>, Failure> {
        match self.status {
            Some(200..=299) => Ok(self.body),
            status => Err(Failure::refused(&self.condition, status, &self.description)),
        }
    }
}

fn integer(value: &SimpleValue) -> Option<i64> {
    match value {
        SimpleValue::Int(number) => Some((*number).into()),
        SimpleValue::Uint(number) => Some((*number).into()),
        SimpleValue::Long(number) => Some(*number),
        SimpleValue::Short(number) => Some((*number).into()),
        SimpleValue::Ushort(number) => Some((*number).into()),
        _ => None,
    }
}

fn text(value: &SimpleValue) -> String {
    match value {
        SimpleValue::String(text) => text.clone(),
        SimpleValue::Symbol(text) => text.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, C, D, E, F>(_: impl Fn(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_pair_that_waits_weighs_little_besides_its_links() {
        let task = size(serve);
        assert!(task <= 4000, "a task of {task} bytes, for each subscription");
        assert!(size_of::<QueuedRequest>() <= 8, "a channel has room for 32 from its beginning on");
    }
}
