//! Creates and changes topics and subscriptions of Service Bus over HTTP.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::{Refusal, parse};
use crate::local::{LocalAzure, TOPIC};
use crate::service_bus::{BrokerError, Partitioning, SubscriptionConfig, SubscriptionStatus, TopicConfig};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicBody {
    name: String,
    partitioning: Option<Partitioning>,
}

/// Creates a topic, or changes how its messages are divided.
pub(super) async fn set_up_topic(State(azure): State<LocalAzure>, body: Bytes) -> Result<StatusCode, Refusal> {
    let TopicBody { name, partitioning } = parse(&body)?;
    if partitioning.as_ref().is_some_and(|partitioning| partitioning.ids.is_empty()) {
        return Err(Refusal::Invalid("a partitioned topic has ids".to_owned()));
    }
    if azure.service_bus.topic(&name).is_ok() {
        azure.service_bus.set_partitioning(&name, partitioning)?;
        return Ok(StatusCode::NO_CONTENT);
    }
    azure.service_bus.create_topic_with(TopicConfig { partitioning, ..TopicConfig::new(name) })?;
    Ok(StatusCode::CREATED)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriptionBody {
    #[serde(default = "topic")]
    topic: String,
    name: String,
    status: Option<SubscriptionStatus>,
    requires_session: Option<bool>,
    /// Empty to stop forwarding.
    forward_to: Option<String>,
}

fn topic() -> String {
    TOPIC.to_owned()
}

/// Creates a subscription that accepts every message, or changes the given properties of one.
pub(super) async fn set_up_subscription(State(azure): State<LocalAzure>, body: Bytes) -> Result<StatusCode, Refusal> {
    let SubscriptionBody { topic, name, status, requires_session, forward_to } = parse(&body)?;
    let is_new = match azure.service_bus.create_subscription(&topic, SubscriptionConfig::new(&name)) {
        Ok(()) => true,
        Err(BrokerError::AlreadyExists(_)) => false,
        Err(error) => return Err(error.into()),
    };
    azure.service_bus.configure(&topic, &name, |config| {
        config.status = status.unwrap_or(config.status);
        config.requires_session = requires_session.unwrap_or(config.requires_session);
        if let Some(forward_to) = forward_to {
            config.forward_to = Some(forward_to).filter(|topic| !topic.is_empty());
        }
    })?;
    Ok(if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
}

impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Self {
        Self::NotFound(error.to_string())
    }
}
