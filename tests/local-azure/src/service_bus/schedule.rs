//! Scheduled messages.

use std::sync::{Arc, Weak};

use serde_amqp::Value;
use time::OffsetDateTime;
use tokio::time::sleep;

use super::Shared;
use super::broker::BrokerError;
use super::broker::message::Message;

/// The annotation that says when.
const DUE: &str = "x-opt-scheduled-enqueue-time";

/// Puts a message into its topic, now or when it is scheduled. Returns its number in the topic, with which it can be cancelled
/// until then.
pub(super) fn publish(
    shared: &Arc<Shared>,
    topic: &str,
    message: Message,
    now: OffsetDateTime,
) -> Result<i64, BrokerError> {
    let mut broker = shared.broker();
    let Some(wait) = due(&message).map(|due| due - now).filter(|wait| wait.is_positive()) else {
        return broker.publish(topic, message, now);
    };
    let number = broker.schedule(topic, message)?;
    let (weak, topic) = (Arc::downgrade(shared), topic.to_owned());
    tokio::spawn(async move {
        sleep(wait.unsigned_abs()).await;
        release(&weak, &topic, number, now + wait);
    });
    Ok(number)
}

/// Puts a message that is due into its topic, unless it was cancelled or the namespace no longer exists.
fn release(shared: &Weak<Shared>, topic: &str, number: i64, now: OffsetDateTime) {
    let Some(shared) = shared.upgrade() else { return };
    // A deleted topic loses its scheduled messages.
    if shared.broker().release(topic, number, now).is_ok() {
        shared.available.send_replace(());
    }
}

fn due(message: &Message) -> Option<OffsetDateTime> {
    let Some(Value::Timestamp(due)) = message.annotation(DUE) else { return None };
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(due.milliseconds()) * 1_000_000).ok()
}
