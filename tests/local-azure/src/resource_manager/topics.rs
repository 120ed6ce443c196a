//! Subscriptions of Service Bus topics, as Azure Resource Manager lists them.

use std::collections::HashMap;

use serde_json::{Value, json};

/// Where the subscriptions of topics come from.
pub trait TopicSubscriptions: Send + Sync {
    /// The subscriptions of a topic, or nothing when the namespace or the topic does not exist.
    fn list(&self, namespace: &str, topic: &str) -> Option<Vec<TopicSubscription>>;

    /// The topic itself, or nothing when it does not exist; an ordinary one unless this is implemented.
    fn topic(&self, namespace: &str, topic: &str) -> Option<Topic> {
        let subscriptions = self.list(namespace, topic)?;
        Some(Topic { enable_partitioning: false, subscription_count: subscriptions.len(), scheduled_message_count: 0 })
    }
}

impl<F> TopicSubscriptions for F
where
    F: Fn(&str, &str) -> Option<Vec<TopicSubscription>> + Send + Sync,
{
    fn list(&self, namespace: &str, topic: &str) -> Option<Vec<TopicSubscription>> {
        self(namespace, topic)
    }
}

/// A topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Whether its messages are divided among several brokers.
    pub enable_partitioning: bool,
    /// How many subscriptions it has.
    pub subscription_count: usize,
    /// Messages that are not due yet.
    pub scheduled_message_count: usize,
}

impl Topic {
    pub(super) fn to_json(self, name: &str, id: &str, location: &str) -> Value {
        json!({
            "id": id,
            "name": name,
            "type": "Microsoft.ServiceBus/namespaces/topics",
            "location": location,
            "properties": {
                "maxMessageSizeInKilobytes": 256,
                "defaultMessageTimeToLive": "P10675199DT2H48M5.4775807S",
                "maxSizeInMegabytes": 1024,
                "requiresDuplicateDetection": false,
                "duplicateDetectionHistoryTimeWindow": "PT10M",
                "enableBatchedOperations": true,
                "sizeInBytes": 0,
                "status": "Active",
                "supportOrdering": !self.enable_partitioning,
                "autoDeleteOnIdle": "P10675199DT2H48M5.4775807S",
                "enablePartitioning": self.enable_partitioning,
                "enableExpress": false,
                "createdAt": "2026-01-04T18:02:20.5992764Z",
                "updatedAt": "2026-01-04T18:02:20.5992764Z",
                "accessedAt": "0001-01-01T00:00:00Z",
                "subscriptionCount": self.subscription_count,
                "countDetails": {
                    "activeMessageCount": 0,
                    "deadLetterMessageCount": 0,
                    "scheduledMessageCount": self.scheduled_message_count,
                    "transferMessageCount": 0,
                    "transferDeadLetterMessageCount": 0,
                },
            },
        })
    }
}

/// A subscription of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSubscription {
    /// Its name.
    pub name: String,
    /// `Active`, `Disabled`, `ReceiveDisabled` and others.
    pub status: String,
    /// Whether its messages are in sessions.
    pub requires_session: bool,
    /// Where its messages are forwarded to, if they are.
    pub forward_to: Option<String>,
    /// Messages that wait.
    pub active_message_count: u64,
    /// Messages in the dead-letter queue.
    pub dead_letter_message_count: u64,
    /// Messages that are not due yet.
    pub scheduled_message_count: u64,
}

impl TopicSubscription {
    /// An ordinary subscription with this many waiting messages.
    pub fn active(name: impl Into<String>, active_message_count: u64) -> Self {
        Self {
            name: name.into(),
            status: "Active".to_owned(),
            requires_session: false,
            forward_to: None,
            active_message_count,
            dead_letter_message_count: 0,
            scheduled_message_count: 0,
        }
    }

    pub(super) fn to_json(&self, topic_id: &str, location: &str) -> Value {
        let messages = self.active_message_count + self.dead_letter_message_count + self.scheduled_message_count;
        let mut json = json!({
            "id": format!("{topic_id}/subscriptions/{}", self.name),
            "name": self.name,
            "type": "Microsoft.ServiceBus/namespaces/topics/subscriptions",
            "location": location,
            "properties": {
                "isClientAffine": false,
                "lockDuration": "PT1M",
                "requiresSession": self.requires_session,
                "defaultMessageTimeToLive": "P10675199DT2H48M5.4775807S",
                "deadLetteringOnMessageExpiration": false,
                "deadLetteringOnFilterEvaluationExceptions": true,
                "messageCount": messages,
                "maxDeliveryCount": 10,
                "status": self.status,
                "enableBatchedOperations": true,
                "createdAt": "2026-01-04T18:02:20.5992764Z",
                "updatedAt": "2026-01-04T18:02:20.5992764Z",
                "accessedAt": "0001-01-01T00:00:00Z",
                "countDetails": {
                    "activeMessageCount": self.active_message_count,
                    "deadLetterMessageCount": self.dead_letter_message_count,
                    "scheduledMessageCount": self.scheduled_message_count,
                    "transferMessageCount": 0,
                    "transferDeadLetterMessageCount": 0,
                },
                "autoDeleteOnIdle": "P10675199DT2H48M5.4775807S",
            },
        });
        if let Some(forward_to) = &self.forward_to {
            json["properties"]["forwardTo"] = json!(forward_to);
        }
        json
    }
}

/// Which part of a list is requested: `$skip` (0 to 1000) and `$top` (1 to 1000).
pub(super) struct Paging {
    pub skip: usize,
    pub top: usize,
}

impl Paging {
    /// Reads the query; an invalid parameter is the error.
    pub(super) fn parse(query: &HashMap<String, String>, default_top: usize) -> Result<Self, &'static str> {
        // A made-up link, which leads to the beginning again.
        if query.contains_key("$skiptoken") {
            return Ok(Self { skip: 0, top: default_top });
        }
        let number =
            |parameter, default| query.get(parameter).map_or(Ok(default), |value| value.parse().map_err(|_| parameter));
        let (skip, top) = (number("$skip", 0)?, number("$top", default_top)?);
        match (skip, top) {
            (1001.., _) => Err("$skip"),
            (_, 0 | 1001..) => Err("$top"),
            _ => Ok(Self { skip, top }),
        }
    }
}
