//! The topic that the demonstration, development and the integration test work on: subscriptions by file size, and
//! messages for them.

use std::ops::RangeInclusive;

use serde_json::json;

use crate::local::TOPIC;
use crate::service_bus::{
    BrokerError, OutgoingMessage, Rule, ServiceBus, SqlFilter, SqlFilterError, SubscriptionConfig,
};

/// The application property that says how large a message's file is, in MiB.
pub const FILE_SIZE_MB: &str = "file_size_mb";

/// The largest file that a subscription takes, in MiB.
pub const LARGEST_MB: u32 = 1024;

/// The subscriptions, and the sizes in MiB that each takes.
pub const SUBSCRIPTIONS: [(&str, RangeInclusive<u32>); 4] =
    [("1-50MB", 1..=50), ("51-200MB", 51..=200), ("201-600MB", 201..=600), ("601-1GB", 601..=LARGEST_MB)];

/// The topic could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The topic is missing, or has a subscription of that name.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The filter cannot be read.
    #[error(transparent)]
    Filter(#[from] SqlFilterError),
}

/// Creates the subscriptions, each with an SQL filter for its sizes.
pub fn create_subscriptions(service_bus: &ServiceBus) -> Result<(), SampleError> {
    for (name, sizes) in SUBSCRIPTIONS {
        let filter = format!("{FILE_SIZE_MB} >= {} AND {FILE_SIZE_MB} <= {}", sizes.start(), sizes.end());
        let rules = vec![Rule::new("file-size", SqlFilter::parse(&filter)?)];
        service_bus.create_subscription(TOPIC, SubscriptionConfig { rules, ..SubscriptionConfig::new(name) })?;
    }
    Ok(())
}

/// A message about a file of this many MiB.
pub fn message(id: &str, size_mb: u32) -> OutgoingMessage {
    let body = json!({ "messageId": id, "messageType": "sample", "data": {} });
    OutgoingMessage::new()
        .message_id(id.to_owned())
        .content_type(serde_amqp::primitives::Symbol::from("application/json"))
        .property(FILE_SIZE_MB.to_owned(), i64::from(size_mb))
        .body(body.to_string())
}
