//! Requests to a topic's `$management` about scheduled messages.

use std::sync::Arc;

use serde_amqp::Value;
use serde_amqp::primitives::Array;
use time::OffsetDateTime;

use super::request::{Reply, Request};
use crate::service_bus::broker::message::Message;
use crate::service_bus::sections::{ValueMap, integer, lookup};
use crate::service_bus::{Shared, schedule};

/// `com.microsoft:schedule-message`: each message states when it is due.
pub(super) fn add(request: &Request, topic: &str, shared: &Arc<Shared>, now: OffsetDateTime) -> Reply {
    let Some(Value::List(messages)) = request.argument("messages") else {
        return invalid("The argument 'messages' is expected.");
    };
    let decode = |entry: &Value| match entry {
        Value::Map(entry) => match lookup(entry, "message") {
            Some(Value::Binary(bytes)) => Message::decode(bytes).ok(),
            _ => None,
        },
        _ => None,
    };
    let Some(messages) = messages.iter().map(decode).collect::<Option<Vec<_>>>() else {
        return invalid("The argument 'messages' has something that is no message.");
    };
    let numbers = messages.into_iter().map(|message| schedule::publish(shared, topic, message, now));
    match numbers.collect::<Result<Vec<i64>, _>>() {
        Ok(numbers) => {
            shared.available.send_replace(());
            let numbers: Vec<Value> = numbers.into_iter().map(Value::Long).collect();
            let body = ValueMap::from_iter([(Value::from("sequence-numbers"), Value::Array(Array::from(numbers)))]);
            Reply::success(200, "OK", Value::Map(body))
        }
        Err(missing) => Reply::failure(404, "amqp:not-found", missing.to_string()),
    }
}

/// `com.microsoft:cancel-scheduled-message`.
pub(super) fn cancel(request: &Request, topic: &str, shared: &Shared) -> Reply {
    let Some(Value::Array(numbers)) = request.argument("sequence-numbers") else {
        return invalid("The argument 'sequence-numbers' is expected.");
    };
    let numbers = numbers.iter().filter_map(integer).filter_map(|number| i64::try_from(number).ok());
    let mut broker = shared.broker();
    for number in numbers {
        if !broker.cancel(topic, number).unwrap_or(false) {
            let description = format!("There is no scheduled message of the sequence number {number}.");
            return Reply::failure(404, "com.microsoft:message-not-found", description);
        }
    }
    Reply::success(200, "OK", Value::Map(ValueMap::new()))
}

fn invalid(reason: &str) -> Reply {
    Reply::failure(400, "com.microsoft:argument-error", reason)
}
