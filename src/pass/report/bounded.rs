//! The report as the host gets it: of a size that does not grow with what is in the topic.

use std::collections::BTreeMap;

use super::Report;
use crate::plan::{GroupOutcome, MessageOutcome};

/// Messages, and groups, of one outcome: enough to see what is wrong. The counts say how many there are.
const MAX_OF_ONE_OUTCOME: usize = 20;

/// Subscriptions that are named: those that say the most.
const MAX_SUBSCRIPTIONS: usize = 100;

impl Report {
    /// The report without the messages and groups that just wait for a slot or run, and with some of each other outcome. With all
    /// outcomes in it, it has some 100 KB.
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
