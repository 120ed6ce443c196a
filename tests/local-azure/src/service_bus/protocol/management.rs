//! Requests to `$management`: peeking, settling by lock token, rules, and scheduled messages.

use std::sync::Arc;

use serde_amqp::Value;
use serde_amqp::primitives::{Array, Binary};
use time::OffsetDateTime;
use uuid::Uuid;

use super::request::{Reply, Request};
use super::{rules, scheduled};
use crate::service_bus::broker::Partitioning;
use crate::service_bus::broker::entity::{Entity, SubscriptionPath};
use crate::service_bus::broker::queue::Entry;
use crate::service_bus::broker::subscription::{Outcome, SubQueue, Subscription};
use crate::service_bus::faults::{Effect, Effects};
use crate::service_bus::sections::{ValueMap, as_uuid, integer, text, timestamp, uuid};
use crate::service_bus::{Call, Operation, Settlement, Shared, SubscriptionStatus};

/// The most messages in a page, whatever the request says, as observed on the service.
const MAX_PAGE_MESSAGES: usize = 250;

/// The most bytes of messages in a page, unless one message alone has more. The service's own limit is not documented;
/// it was observed to answer 136 of 236 messages because of their size.
const MAX_PAGE_BYTES: usize = 1 << 20;

/// The operation that peeks.
const PEEK: &str = "com.microsoft:peek-message";

/// Answers a request, and returns the faults of the answer.
pub(super) fn answer(
    request: &Request,
    entity: &Entity,
    shared: &Arc<Shared>,
    now: OffsetDateTime,
) -> (Reply, Effects) {
    let operation = request.property("operation");
    let peeks = operation == PEEK;
    let effects = if peeks { shared.faults.happen(Operation::Peek, Some(entity)) } else { Effects::default() };
    if peeks {
        let Page { from, count, omit_body } = Page::parse(request);
        shared.calls.record(Call::Peek { entity: entity.path(), from, count, omit_body });
    } else {
        shared.calls.record(Call::Manage { entity: entity.path(), operation: operation.to_owned() });
    }
    if let Some((status, condition, description)) = effects.refusal() {
        return (Reply::failure(status, condition, description), effects);
    }
    let reply = match entity {
        Entity::Subscription(path) => {
            let mut broker = shared.broker();
            let partitioning = broker.topic(&path.topic).ok().and_then(|topic| topic.config.partitioning.clone());
            match broker.subscription(&path.topic, &path.name) {
                Ok(subscription) => match operation {
                    PEEK => peek(request, path, (subscription, partitioning.as_ref()), &effects, now),
                    "com.microsoft:renew-lock" => renew_locks(request, path, subscription, now),
                    "com.microsoft:update-disposition" => settle(request, path, subscription, shared, now),
                    "com.microsoft:receive-by-sequence-number" => receive_deferred(request, path, subscription, now),
                    "com.microsoft:add-rule" => rules::add(request, subscription),
                    "com.microsoft:remove-rule" => rules::remove(request, subscription),
                    "com.microsoft:enumerate-rules" => rules::enumerate(request, subscription),
                    _ => not_implemented(operation),
                },
                Err(error) => Reply::failure(404, "amqp:not-found", error.to_string()),
            }
        }
        Entity::Topic(topic) => match operation {
            "com.microsoft:schedule-message" => scheduled::add(request, topic, shared, now),
            "com.microsoft:cancel-scheduled-message" => scheduled::cancel(request, topic, shared),
            _ => not_implemented(operation),
        },
    };
    (reply, effects)
}

struct Page {
    from: i64,
    count: i64,
    omit_body: bool,
}

impl Page {
    fn parse(request: &Request) -> Self {
        let number = |name| request.argument(name).and_then(integer).and_then(|number| i64::try_from(number).ok());
        Self {
            from: number("from-sequence-number").unwrap_or_default(),
            count: number("message-count").unwrap_or_default(),
            omit_body: matches!(request.argument("omit-message-body"), Some(Value::Bool(true))),
        }
    }
}

fn peek(
    request: &Request,
    path: &SubscriptionPath,
    (subscription, partitioning): (&mut Subscription, Option<&Partitioning>),
    effects: &Effects,
    now: OffsetDateTime,
) -> Reply {
    // The text is the service's (Xabaril/AspNetCore.Diagnostics.HealthChecks#1560); the status is inferred.
    if subscription.config.forward_to.is_some() && path.queue == SubQueue::Messages {
        let description = "Cannot create a message browser on an entity with auto-forwarding enabled.";
        return Reply::failure(400, "amqp:not-allowed", description);
    }
    if matches!(subscription.config.status, SubscriptionStatus::Disabled | SubscriptionStatus::ReceiveDisabled) {
        return Reply::failure(403, "com.microsoft:entity-disabled", disabled(path));
    }
    let Page { from, count, omit_body } = Page::parse(request);
    let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
        let description = "The argument 'message-count' must be positive.";
        return Reply::failure(400, "com.microsoft:argument-out-of-range", description);
    };
    let from = if effects.contains(&Effect::RepeatFirstPage) { i64::MIN } else { from };
    let count = count.min(MAX_PAGE_MESSAGES).min(effects.page_limit());
    let mut messages = Vec::new();
    let mut size = 0;
    let found: &mut dyn Iterator<Item = (i64, &Entry)> = match partitioning {
        Some(partitioning) => &mut subscription.peek_partitions(path.queue, from, partitioning, now),
        None => &mut subscription.peek(path.queue, from, now),
    };
    for (sequence_number, entry) in found.take(count) {
        let mut bytes = entry.encode(sequence_number, omit_body);
        size += bytes.len();
        if size > MAX_PAGE_BYTES && !messages.is_empty() {
            break;
        }
        if effects.contains(&Effect::TruncatedMessages) {
            bytes.truncate(bytes.len() - 3);
        }
        messages.push(map([("message", binary(bytes))]));
    }
    if messages.is_empty() {
        let description = "There are no more messages.";
        return Reply { condition: Some("com.microsoft:message-not-found".to_owned()), ..no_content(description) };
    }
    Reply::success(200, "OK", map([("messages", Value::List(messages))]))
}

fn renew_locks(
    request: &Request,
    path: &SubscriptionPath,
    subscription: &mut Subscription,
    now: OffsetDateTime,
) -> Reply {
    let mut expirations = Vec::new();
    for token in lock_tokens(request) {
        match subscription.renew(path.queue, token, now) {
            Ok(until) => expirations.push(timestamp(until)),
            Err(_) => return lock_lost(),
        }
    }
    if expirations.is_empty() {
        return Reply::failure(400, "amqp:invalid-field", "The argument 'lock-tokens' is missing.");
    }
    Reply::success(200, "OK", map([("expirations", Value::Array(Array::from(expirations)))]))
}

fn settle(
    request: &Request,
    path: &SubscriptionPath,
    subscription: &mut Subscription,
    shared: &Shared,
    now: OffsetDateTime,
) -> Reply {
    let argument = |name| request.argument(name).and_then(text);
    let outcome = match argument("disposition-status").unwrap_or_default() {
        "completed" => Outcome::Complete,
        "abandoned" => Outcome::Abandon,
        // The service's own spelling.
        "defered" => Outcome::Defer,
        "suspended" => Outcome::DeadLetter {
            reason: argument("deadletter-reason").map(str::to_owned),
            description: argument("deadletter-description").map(str::to_owned),
        },
        _ => return Reply::failure(400, "amqp:invalid-field", "The argument 'disposition-status' is not known."),
    };
    for token in lock_tokens(request) {
        let settled = subscription.settle(path.queue, token, &outcome, now);
        let settlement = settled.map_or(Settlement::LockLost, |()| Settlement::from(&outcome));
        shared.calls.record(Call::Settle { entity: Entity::Subscription(path.clone()).path(), settlement });
        if settled.is_err() {
            return lock_lost();
        }
    }
    shared.available.send_replace(());
    Reply::success(200, "OK", Value::Map(ValueMap::new()))
}

fn receive_deferred(
    request: &Request,
    path: &SubscriptionPath,
    subscription: &mut Subscription,
    now: OffsetDateTime,
) -> Reply {
    let numbers: Vec<i64> = match request.argument("sequence-numbers") {
        Some(Value::Array(numbers)) => {
            numbers.iter().filter_map(integer).filter_map(|number| i64::try_from(number).ok()).collect()
        }
        _ => Vec::new(),
    };
    let mut messages = Vec::new();
    for sequence_number in numbers {
        let Some(delivery) = subscription.receive_deferred(path.queue, sequence_number, now) else {
            let description = "There is no deferred message of that sequence number.";
            return Reply::failure(404, "com.microsoft:message-not-found", description);
        };
        messages.push(map([("lock-token", uuid(delivery.lock_token)), ("message", binary(delivery.bytes))]));
    }
    Reply::success(200, "OK", map([("messages", Value::List(messages))]))
}

impl From<&Outcome> for Settlement {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Complete => Self::Completed,
            Outcome::Abandon => Self::Abandoned,
            Outcome::Defer => Self::Deferred,
            Outcome::DeadLetter { .. } => Self::DeadLettered,
        }
    }
}

/// The service's error for a subscription that cannot be used.
pub(super) fn disabled(path: &SubscriptionPath) -> String {
    format!("Messaging entity '{}' is currently disabled.", Entity::Subscription(path.clone()).path())
}

fn lock_tokens(request: &Request) -> Vec<Uuid> {
    match request.argument("lock-tokens") {
        Some(Value::Array(tokens)) => tokens.iter().filter_map(as_uuid).collect(),
        _ => Vec::new(),
    }
}

fn lock_lost() -> Reply {
    Reply::failure(410, "com.microsoft:message-lock-lost", LOCK_LOST)
}

/// The service's error for a lock that is no longer valid.
pub(super) const LOCK_LOST: &str =
    "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.";

fn not_implemented(operation: &str) -> Reply {
    Reply::failure(501, "amqp:not-implemented", format!("The local Service Bus has no operation '{operation}'."))
}

fn no_content(description: &str) -> Reply {
    Reply::success(204, description, Value::Null)
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

fn binary(bytes: Vec<u8>) -> Value {
    Value::Binary(Binary::from(bytes))
}
