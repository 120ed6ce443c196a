//! The event that every pass logs, with its numbers as fields.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Report, SubscriptionReport};
use crate::message::SubscriptionName;

/// The most subscriptions in the event: those with the most waiting messages. The sums are of all.
const MAX_SUBSCRIPTIONS: usize = 50;

/// The numbers of a subscription.
#[derive(Serialize)]
struct Numbers {
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letters: Option<u64>,
    read: usize,
    waiting: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_waiting_seconds: Option<i64>,
}

impl Report {
    /// Logs the sums.
    pub(crate) fn log(&self) {
        let outcome = |counts: &BTreeMap<&'static str, usize>, of: &[&str]| -> usize {
            of.iter().filter_map(|outcome| counts.get(outcome)).sum()
        };
        let failed_reads = self.subscriptions.iter().filter(|subscription| subscription.error.is_some()).count();
        let counts = self.subscriptions.iter().filter_map(|subscription| subscription.counts);
        let (steps, limits) = (self.steps, self.limits);
        tracing::info!(
            event = "pass",
            plan_only = self.plan_only,
            duration_ms = self.duration_ms,
            observe_ms = steps.observe_ms,
            plan_ms = steps.plan_ms,
            create_ms = steps.create_ms,
            delete_ms = steps.delete_ms,
            active = self.capacity.active,
            cap = self.capacity.max,
            created = outcome(&self.message_counts, &["created"]),
            deleted = outcome(&self.group_counts, &["deleted", "deleted_without_logs"]),
            create_failures = outcome(&self.message_counts, &["failed"]),
            delete_failures = outcome(&self.group_counts, &["delete_failed"]),
            unread_subscriptions = failed_reads,
            budget_left = limits.budget_left,
            throttled = limits.throttled,
            backlog = self.backlog.map(|backlog| backlog.messages),
            read = self.subscriptions.iter().map(|subscription| subscription.peeked).sum::<usize>(),
            waiting = self.subscriptions.iter().map(|subscription| subscription.waiting).sum::<usize>(),
            oldest_waiting_seconds = self.oldest_waiting_seconds(None),
            dead_letters = counts.map(|counts| counts.dead_letters).sum::<u64>(),
            gb_seconds = self.cost.gb_seconds,
            vcpu_seconds = self.cost.vcpu_seconds,
            messages = json(&self.message_counts),
            groups = json(&self.group_counts),
            subscriptions = json(&self.by_subscription()),
            "{}",
            self.sums()
        );
    }

    fn by_subscription(&self) -> BTreeMap<&SubscriptionName, Numbers> {
        let mut most: Vec<_> = self.subscriptions.iter().collect();
        most.sort_by_key(|subscription| {
            let counts = subscription.counts.map(|counts| (counts.active_messages, counts.dead_letters));
            std::cmp::Reverse((subscription.waiting, counts))
        });
        let numbers = |subscription: &SubscriptionReport| Numbers {
            backlog: subscription.counts.map(|counts| counts.active_messages),
            dead_letters: subscription.counts.map(|counts| counts.dead_letters),
            read: subscription.peeked,
            waiting: subscription.waiting,
            oldest_waiting_seconds: self.oldest_waiting_seconds(Some(&subscription.name)),
        };
        most.into_iter()
            .take(MAX_SUBSCRIPTIONS)
            .map(|subscription| (&subscription.name, numbers(subscription)))
            .collect()
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("numbers by names are what JSON can hold")
}
