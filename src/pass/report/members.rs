//! The messages and the groups of a report.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;

use crate::container_group::GroupName;
use crate::message::{MessageAddress, SubscriptionName};
use crate::plan::{GroupOutcome, MessageOutcome, ObservedSubscription};

/// A message and its outcome.
#[derive(Debug, Serialize)]
pub struct MessageReport {
    #[serde(flatten)]
    pub message: MessageAddress,
    /// When it was enqueued, if the broker says so.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub enqueued_at: Option<OffsetDateTime>,
    #[serde(flatten)]
    pub outcome: MessageOutcome,
}

/// A group and its outcome.
#[derive(Debug, Serialize)]
pub struct GroupReport {
    pub name: GroupName,
    /// The subscription of the message that it was created for, by its tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    #[serde(flatten)]
    pub outcome: GroupOutcome,
}

/// When messages were enqueued, by sequence number. This takes little memory compared to the messages.
#[derive(Debug, Default)]
pub(super) struct Enqueued(HashMap<SubscriptionName, Vec<(i64, OffsetDateTime)>>);

impl Enqueued {
    pub(super) fn of(subscriptions: &[ObservedSubscription]) -> Self {
        let of_one = |subscription: &ObservedSubscription| {
            let messages = subscription.messages.iter();
            let mut moments: Vec<_> =
                messages.filter_map(|message| Some((message.sequence_number, message.enqueued_at?))).collect();
            moments.sort_unstable();
            (subscription.name.clone(), moments)
        };
        Self(subscriptions.iter().map(of_one).collect())
    }

    pub(super) fn when(&self, message: &MessageAddress) -> Option<OffsetDateTime> {
        let moments = self.0.get(&message.subscription)?;
        let place = moments.binary_search_by_key(&message.sequence_number, |(number, _)| *number).ok()?;
        Some(moments[place].1)
    }
}
