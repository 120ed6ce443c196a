//! What a report says about the topic: its subscriptions, those that cannot be served, and the backlog.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use crate::message::SubscriptionName;
use crate::plan::{ObservedSubscription, Read, UnservedSubscription};
use crate::services::MessageCounts;

/// A subscription's part of a pass.
#[derive(Debug, Serialize)]
pub struct SubscriptionReport {
    pub name: SubscriptionName,
    #[serde(flatten)]
    pub counts: Option<CountsReport>,
    /// How many messages were peeked.
    pub peeked: usize,
    /// Whether the subscription was read to its end.
    pub to_the_end: bool,
    /// How many of the messages that were read wait for a container group, or for another attempt.
    pub waiting: usize,
    /// When the oldest of them was enqueued.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub oldest_waiting_at: Option<OffsetDateTime>,
    /// Since when it could not be read, as far as this process knows.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub unread_since: Option<OffsetDateTime>,
    /// Why reading it ended early, if something went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A subscription from which no worker can receive.
#[derive(Debug, Serialize)]
pub struct UnservedReport {
    pub name: SubscriptionName,
    pub reason: String,
    #[serde(flatten)]
    pub counts: Option<CountsReport>,
}

/// How many messages a subscription has, by the service's counts, which lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CountsReport {
    /// Including those that receivers have locked.
    pub active_messages: u64,
    pub dead_letters: u64,
}

/// The messages of all subscriptions that are read and whose messages the service has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// By the service's counts, or as many as were read if that is more.
    pub messages: u64,
    pub read: u64,
}

impl SubscriptionReport {
    pub(super) fn of(observed: &ObservedSubscription) -> Self {
        Self {
            name: observed.name.clone(),
            counts: observed.counts.map(CountsReport::from),
            peeked: observed.messages.len(),
            to_the_end: observed.read == Read::ToTheEnd,
            waiting: 0,
            oldest_waiting_at: None,
            unread_since: None,
            error: match &observed.read {
                Read::Failed(error) => Some(error.to_string()),
                Read::ToTheEnd | Read::FarEnough => None,
            },
        }
    }
}

impl UnservedReport {
    pub(super) fn of(unserved: &UnservedSubscription) -> Self {
        let UnservedSubscription { name, reason, counts } = unserved;
        Self { name: name.clone(), reason: reason.to_string(), counts: counts.map(CountsReport::from) }
    }
}

impl Backlog {
    /// Nothing if the service counted no subscription's messages.
    pub(super) fn of(subscriptions: &[ObservedSubscription]) -> Option<Self> {
        let mut backlog = None;
        for subscription in subscriptions {
            let Some(counts) = subscription.counts else { continue };
            let read = subscription.messages.len() as u64;
            let sum: &mut Self = backlog.get_or_insert_default();
            sum.messages += counts.active.max(read);
            sum.read += read;
        }
        backlog
    }
}

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", Grouped(self.read), Grouped(self.messages))
    }
}

impl From<MessageCounts> for CountsReport {
    fn from(counts: MessageCounts) -> Self {
        Self { active_messages: counts.active, dead_letters: counts.dead_letters }
    }
}

/// A number as people read it: 3,015.
pub(crate) struct Grouped(pub(crate) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
        f.write_str(&groups.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_groups_of_three_digits() {
        let text = |number| Grouped(number).to_string();
        assert_eq!([0, 60, 999, 1000, 3015, 1_234_567].map(text), ["0", "60", "999", "1,000", "3,015", "1,234,567"]);
    }
}
