//! The breaker of a subscription: many failures and no success cost a container now and then, not one a message.
//!
//! * It is open if and only if, since the last sign of health in the subscription, the last attempts at
//!   [`FAILURES`] messages or more have failed.
//! * While it is open, one group is let through at a time, when it has failed for as long again as it had failed
//!   before the last failure, at least one back-off and at most half an hour: 1, 1, 2, 4, 8, 16, 30, 30, … minutes
//!   after the last one.
//! * A sign of health is a group that ended with exit code 0, whatever message it took, or one that has run for twice
//!   as long as any that failed: jobs may take hours, and nobody should wait for the first one's end.
//!
//! It is computed from the groups, so a restart of the scaler does not close it while they are there.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};

use super::Rules;
use super::attempts::MAX_BACKOFF;
use super::census::{Census, Entry, State};
use super::memory::Attempt;

/// Two bad messages in a row are bad luck; with three, the next one is likely to fail too.
pub(super) const FAILURES: usize = 3;

/// The least run that is a sign of health when no failed group has run at all: it is one pass.
const HEALTHY_RUN: Duration = Duration::minutes(1);

/// How many groups a subscription may get now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// As many as there are slots.
    Free,
    /// One, to see whether it does better.
    Probe,
    /// None, until then, or until the one that was let through has ended.
    Held { until: Option<OffsetDateTime> },
}

/// Failures in a subscription, and the newest sign of health.
pub(super) struct Breaker<'a> {
    entries: Vec<&'a Entry>,
    failures: Vec<Attempt>,
}

impl<'a> Breaker<'a> {
    /// That of a subscription, named in lower case.
    pub(super) fn of(census: &'a Census, subscription: &str, rules: &Rules, now: OffsetDateTime) -> Self {
        let oldest = now - (MAX_BACKOFF + rules.provisioning_timeout) * 2;
        let entries: Vec<_> =
            census.entries.iter().filter(|entry| entry.subscription.as_deref() == Some(subscription)).collect();
        let recorded =
            entries.iter().filter(|entry| !census.is_superseded(entry)).filter_map(|entry| entry.as_attempt());
        let recorded_at: HashSet<_> = entries.iter().filter_map(|entry| entry.sequence_number).collect();
        let remembered = census.memory.of_subscription(subscription);
        let forgotten = remembered.filter(|(number, _)| !recorded_at.contains(number)).map(|(_, attempt)| attempt);
        // What is older than twice the longest time from one attempt to the end of the next says nothing of today.
        let failures =
            recorded.chain(forgotten).filter(|attempt| attempt.failed && attempt.ended_at > oldest).collect();
        Self { entries, failures }
    }

    /// Whether there are failures that a sign of health would have to stand against.
    pub(super) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    /// How many groups the subscription may get now.
    pub(super) fn flow(&self, rules: &Rules, now: OffsetDateTime) -> Flow {
        let health = self.last_sign_of_health(now);
        let since = |failure: &&Attempt| health.is_none_or(|health| failure.ended_at > health);
        let ends = || self.failures.iter().filter(since).map(|failure| failure.ended_at);
        let (Some(first), Some(last)) = (ends().min(), ends().max()) else { return Flow::Free };
        if ends().count() < FAILURES || rules.retry_backoff.is_zero() {
            return Flow::Free;
        }
        let may_tell = |entry: &&Entry| match entry.state {
            State::Active { running_since: Some(since), .. } => since > last,
            State::Active { .. } => true,
            State::Stuck { .. } | State::Overran { .. } | State::Ended { .. } => false,
        };
        if self.entries.iter().any(may_tell) {
            return Flow::Held { until: None };
        }
        let until = last + (last - first).clamp(rules.retry_backoff.min(MAX_BACKOFF), MAX_BACKOFF);
        if now < until { Flow::Held { until: Some(until) } } else { Flow::Probe }
    }

    fn last_sign_of_health(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let longest_failure: Duration = self.failures.iter().map(|failure| failure.ran).max().unwrap_or_default();
        let healthy_run = (longest_failure * 2_i32).max(HEALTHY_RUN);
        let sign = |entry: &&Entry| match entry.state {
            State::Ended { success: true, at, .. } => Some(at),
            State::Active { running_since: Some(since), .. } if now - since >= healthy_run => Some(since),
            _ => None,
        };
        self.entries.iter().filter_map(sign).max()
    }
}
