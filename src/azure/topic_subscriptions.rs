//! The subscriptions of a topic, as Azure Resource Manager lists them, and whether the topic is partitioned.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::try_join;
use serde_json::Value;
use tokio::time::timeout;

use super::arm::Arm;
use super::bad_answer::BadAnswer;
use crate::message::SubscriptionName;
use crate::services::{ArmError, ListedSubscription, ListedTopic, MessageCounts, Subscriptions, Unserved};
use crate::settings::Settings;

/// A version that every cloud supports.
const API_VERSION: &str = "2021-11-01";

/// Subscriptions on a page: the most that Service Bus allows (`$top`, 1 to 1000). Its default is 100.
const PAGE: (&str, &str) = ("$top", "1000");

/// How long to wait for the topic itself. Reading it takes 0.3 s, and a pass can do without.
const TOPIC_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct TopicSubscriptions {
    arm: Arc<Arm>,
    topic: Vec<String>,
    /// Whether the topic is partitioned, once known. It never changes while the topic exists.
    is_partitioned: OnceLock<bool>,
}

/// The topic's path in Resource Manager.
pub(super) fn topic_path(settings: &Settings) -> Vec<String> {
    let bus = &settings.service_bus;
    let path = [
        "subscriptions",
        &settings.azure.subscription_id,
        "resourceGroups",
        &bus.resource_group,
        "providers",
        "Microsoft.ServiceBus",
        "namespaces",
        &bus.namespace,
        "topics",
        // Resource Manager accepts no escaped slash in a topic's name, and spells it this way (azure-rest-api-specs#1082).
        &bus.topic.replace('/', "~"),
    ];
    path.map(str::to_owned).to_vec()
}

impl TopicSubscriptions {
    pub(super) fn new(arm: Arc<Arm>, settings: &Settings) -> Self {
        Self { arm, topic: topic_path(settings), is_partitioned: OnceLock::new() }
    }

    async fn subscriptions(&self) -> Result<Vec<ListedSubscription>, ArmError> {
        let path: Vec<&str> = self.topic.iter().map(String::as_str).chain(["subscriptions"]).collect();
        let items = self.arm.list(&path, API_VERSION, &[PAGE]).await?;
        Ok(items.iter().map(listed).collect::<Result<_, _>>()?)
    }

    /// Whether the topic is partitioned; requested until it is known.
    async fn ask_topic(&self) -> Result<bool, ArmError> {
        if let Some(is_partitioned) = self.is_partitioned.get() {
            return Ok(*is_partitioned);
        }
        let path: Vec<&str> = self.topic.iter().map(String::as_str).collect();
        let late = |_| Err(ArmError::unavailable(format!("no answer within {} s", TOPIC_TIMEOUT.as_secs())));
        let topic = timeout(TOPIC_TIMEOUT, self.arm.read(&path, API_VERSION)).await.unwrap_or_else(late)?;
        Ok(topic.pointer("/properties/enablePartitioning").and_then(Value::as_bool).unwrap_or_default())
    }
}

impl Subscriptions for TopicSubscriptions {
    async fn list(&self) -> Result<ListedTopic, ArmError> {
        let (subscriptions, answer) = try_join(self.subscriptions(), async { Ok(self.ask_topic().await) }).await?;
        let is_partitioned = match answer {
            Ok(is_partitioned) => *self.is_partitioned.get_or_init(|| is_partitioned),
            // The role that lists subscriptions need not show their topic, and another request would not help.
            Err(error @ (ArmError::Unauthorized(_) | ArmError::NotFound(_) | ArmError::Rejected(_))) => {
                tracing::debug!(%error, "the topic does not say whether it is partitioned");
                *self.is_partitioned.get_or_init(|| false)
            }
            Err(error) => {
                tracing::debug!(%error, "the topic could not be asked whether it is partitioned");
                false
            }
        };
        Ok(ListedTopic { subscriptions, is_partitioned })
    }
}

/// Reads an item of the list. Missing or odd values do not prevent peeking.
fn listed(item: &Value) -> Result<ListedSubscription, BadAnswer> {
    let name = item.get("name").and_then(Value::as_str).ok_or(BadAnswer::NamelessSubscription)?;
    let property = |path: &str| item.pointer(&format!("/properties/{path}"));
    let text = |path| property(path).and_then(Value::as_str).unwrap_or_default();
    let count = |path| property(path).and_then(Value::as_u64);
    let active = count("countDetails/activeMessageCount");
    Ok(ListedSubscription {
        name: SubscriptionName::new(name),
        unserved: unserved(text("status"), text("forwardTo")),
        requires_session: property("requiresSession").and_then(Value::as_bool).unwrap_or_default(),
        counts: active.map(|active| MessageCounts {
            active,
            dead_letters: count("countDetails/deadLetterMessageCount").unwrap_or_default(),
        }),
    })
}

fn unserved(status: &str, forward_to: &str) -> Option<Unserved> {
    if status.eq_ignore_ascii_case("Disabled") {
        Some(Unserved::Disabled)
    } else if status.eq_ignore_ascii_case("ReceiveDisabled") {
        Some(Unserved::ReceiveDisabled)
    } else {
        (!forward_to.is_empty()).then(|| Unserved::Forwards { to: forward_to.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_says_why_a_subscription_cannot_be_served_and_how_many_messages_it_has() {
        let of = |properties: Value| listed(&json!({ "name": "a", "properties": properties })).unwrap();
        let reason = |properties: Value| of(properties).unserved.map(|reason| reason.to_string());
        assert_eq!(reason(json!({ "status": "Disabled" })).as_deref(), Some("it is disabled"));
        assert_eq!(reason(json!({ "status": "receivedisabled" })).as_deref(), Some("receiving from it is disabled"));
        let forwarding = json!({ "status": "Active", "forwardTo": "archive" });
        assert_eq!(reason(forwarding).as_deref(), Some("it forwards its messages to archive"));
        for served in ["Active", "SendDisabled", "Restoring", "Unknown", "something new"] {
            assert_eq!(reason(json!({ "status": served, "forwardTo": "" })), None, "{served}");
        }
        let counted = of(json!({
            "requiresSession": true, "countDetails": { "activeMessageCount": 3015, "deadLetterMessageCount": 2 },
        }));
        assert_eq!(counted.counts, Some(MessageCounts { active: 3015, dead_letters: 2 }));
        assert!(counted.requires_session);
    }

    #[test]
    fn an_item_that_says_nothing_or_something_odd_is_looked_at_all_the_same_unless_it_has_no_name() {
        let odd = json!({ "status": 5, "forwardTo": null, "requiresSession": "yes", "countDetails": [] });
        for item in [json!({ "name": "a" }), json!({ "name": "a", "properties": odd })] {
            assert_eq!(listed(&item).unwrap(), ListedSubscription::new("a"));
        }
        assert!(listed(&json!({ "properties": {} })).is_err());
    }
}
