//! The report for the host: its size does not grow with the topic.

use std::collections::BTreeMap;

use super::Report;
use crate::plan::{GroupOutcome, MessageOutcome};

/// The most messages, and groups, with one outcome: enough to see what is wrong. The counts say how many there are.
const MAX_OF_ONE_OUTCOME: usize = 20;

/// The most subscriptions: those with errors and with the most waiting messages.
const MAX_SUBSCRIPTIONS: usize = 100;

impl Report {
    /// The report without messages and groups that just run or wait for a slot, and with some of each other outcome. With all
    /// outcomes it has some 100 KB.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        use MessageOutcome as M;
        self.messages.retain(|report| {
            matches!(
                report.outcome,
                M::Created { .. }
                    | M::ToBeCreated { .. }
                    | M::Found { .. }
                    | M::Invalid { .. }
                    | M::Failed { .. }
                    | M::CreateBackingOff { .. }
                    | M::Parked { .. }
                    | M::BackingOff { .. }
                    | M::HeldByBreaker { .. }
                    | M::HeldByFailedCreates { .. }
                    | M::WaitingQuota { .. }
                    | M::Running { reason: Some(_), .. }
            )
        });
        self.groups.retain(|report| report.outcome != GroupOutcome::Active);
        some_of_each(&mut self.messages, |report| (&report.outcome).into());
        some_of_each(&mut self.groups, |report| (&report.outcome).into());
        self.subscriptions.sort_by_key(|subscription| {
            (subscription.error.is_none(), std::cmp::Reverse((subscription.waiting, subscription.peeked)))
        });
        self.subscriptions.truncate(MAX_SUBSCRIPTIONS);
        self.unserved_subscriptions.truncate(MAX_SUBSCRIPTIONS);
        self.skipped_subscriptions.truncate(MAX_SUBSCRIPTIONS);
        self
    }
}

fn some_of_each<T>(items: &mut Vec<T>, outcome: impl Fn(&T) -> &'static str) {
    let mut kept: BTreeMap<&'static str, usize> = BTreeMap::new();
    items.retain(|item| {
        let count = kept.entry(outcome(item)).or_default();
        *count += 1;
        *count <= MAX_OF_ONE_OUTCOME
    });
}
