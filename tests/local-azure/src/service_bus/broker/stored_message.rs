//! A message as tests see it.

use serde_amqp::Value;
use time::OffsetDateTime;

use super::message::message_id_text;
use super::queue::Entry;

/// A message in a subscription, for assertions.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMessage {
    /// Its place in the subscription.
    pub sequence_number: i64,
    /// Its id in canonical text: a string as it is, a ulong in decimal, a uuid hyphenated, a binary in hex.
    pub message_id: Option<String>,
    /// Names and values of those application properties whose names are text.
    pub application_properties: Vec<(String, Value)>,
    /// How often it has been delivered.
    pub delivery_count: u32,
    /// Whether a receiver holds it.
    pub locked: bool,
    /// Whether it was deferred.
    pub deferred: bool,
    /// When it was enqueued.
    pub enqueued_at: OffsetDateTime,
}

impl StoredMessage {
    pub(super) fn new(sequence_number: i64, entry: &Entry) -> Self {
        let named = |(key, value): (Value, Value)| match key {
            Value::String(name) => Some((name, value)),
            Value::Symbol(name) => Some((name.into_inner(), value)),
            _ => None,
        };
        Self {
            sequence_number,
            message_id: entry.message.properties().first().and_then(message_id_text),
            application_properties: entry.message.application_properties().into_iter().filter_map(named).collect(),
            delivery_count: entry.delivery_count,
            locked: entry.lock.is_some(),
            deferred: entry.deferred,
            enqueued_at: entry.enqueued_at,
        }
    }
}
