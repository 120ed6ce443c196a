//! The breaker of a subscription: many failures and no success cost a container now and then, not one a message.
//!
//! * It is open if and only if, since the last sign of health in the subscription, the last attempts at
//!   [`FAILURES`] messages or more have failed.
//! * While it is open, one group is tried at a time, when it has failed for as long again as it had failed
//!   before the last failure, at least one back-off and at most half an hour: 1, 1, 2, 4, 8, 16, 30, 30, … minutes
//!   after the last one.
//! * A sign of health is a group that ended with exit code 0, whatever message it took, or one that has run for twice
//!   as long as any that failed: jobs may take hours, and nobody should wait for the first one's end.
//!
//! A message whose count an operator lets start again gets its group whatever the breaker says, and its failures count no more.
//!
//! It is computed from the groups, so a restart of the scaler does not close it while they are there.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};

use super::retry::MAX_BACKOFF;
use crate::message::SubscriptionName;
use crate::plan::cause::{AttemptEnd, BreakerFailures};
use crate::plan::facts::{Facts, GroupState, KnownGroup};
use crate::plan::memory::Attempt;

/// Two bad messages in a row are bad luck; with three, the next one is likely to fail too.
pub(super) const FAILURES: usize = 3;

/// The least run that is a sign of health when no failed group has run at all: it is one pass.
const HEALTHY_RUN: Duration = Duration::minutes(1);

/// How many groups a subscription may get now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// As many as there are slots.
    Open,
    /// One, to see whether it does better.
    Probe,
    /// None, until then, or until the one that is tried has ended.
    Held { until: Option<OffsetDateTime> },
}

/// Failures in a subscription, and the groups that may tell more.
pub(in crate::plan) struct Breaker<'a> {
    facts: &'a Facts<'a>,
    groups: Vec<&'a KnownGroup>,
    failures: Vec<(Attempt, Source<'a>)>,
}

/// What tells of a failure.
enum Source<'a> {
    Group(&'a KnownGroup),
    Memory(&'a AttemptEnd),
}

impl<'a> Breaker<'a> {
    pub(in crate::plan) fn of(facts: &'a Facts<'a>, subscription: &SubscriptionName) -> Self {
        // What is older than twice the longest time from one attempt to the end of the next says nothing of today.
        let oldest = facts.now - (MAX_BACKOFF + facts.rules.provisioning_timeout) * 2;
        let groups: Vec<_> = facts.groups.in_subscription(subscription).collect();
        // An operator who lets a count start again says that what failed has been fixed.
        let counts = || groups.iter().filter(|known| !known.group.is_retried());
        let recorded = counts().filter(|known| !facts.groups.is_superseded(known));
        let recorded = recorded.filter_map(|known| Some((known.as_attempt()?, Source::Group(known))));
        let with_group: HashSet<_> = counts().filter_map(|known| known.message()).collect();
        let remembered = facts.memory.attempts_in(subscription);
        let remembered = remembered.filter(|(message, _)| !with_group.contains(message));
        let remembered = remembered.map(|(_, record)| (record.attempt, Source::Memory(&record.end)));
        let is_recent_failure = |(attempt, _): &(Attempt, Source<'_>)| attempt.failed && attempt.ended_at > oldest;
        let failures = recorded.chain(remembered).filter(is_recent_failure).collect();
        Self { facts, groups, failures }
    }

    /// Whether there are failures that a sign of health would have to stand against.
    pub(in crate::plan) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    pub(super) fn admission(&self) -> Admission {
        let (rules, now) = (self.facts.rules, self.facts.now);
        let health = self.last_sign_of_health();
        let ends = || {
            self.failures
                .iter()
                .map(|(failure, _)| failure.ended_at)
                .filter(|at| health.is_none_or(|health| *at > health))
        };
        let (Some(first), Some(last)) = (ends().min(), ends().max()) else { return Admission::Open };
        if ends().count() < FAILURES || !rules.count_attempts() {
            return Admission::Open;
        }
        let may_tell = |known: &&KnownGroup| match known.state {
            GroupState::Active { running_since: Some(since), .. } => since > last,
            GroupState::Active { .. } => true,
            GroupState::Stuck { .. } | GroupState::Overran { .. } | GroupState::Ended { .. } => false,
        };
        if self.groups.iter().any(may_tell) {
            return Admission::Held { until: None };
        }
        let until = last + (last - first).clamp(rules.retry_backoff.min(MAX_BACKOFF), MAX_BACKOFF);
        if now < until { Admission::Held { until: Some(until) } } else { Admission::Probe }
    }

    /// The failures for which the subscription is held up, if it is.
    pub(super) fn causes(&self) -> Option<BreakerFailures> {
        let health = self.last_sign_of_health();
        let failures =
            || self.failures.iter().filter(|(attempt, _)| health.is_none_or(|health| attempt.ended_at > health));
        let (last, source) = failures().max_by_key(|(attempt, _)| attempt.ended_at)?;
        let (group, end) = match source {
            Source::Group(known) => (Some(known.name().clone()), known.end()),
            Source::Memory(end) => (None, (*end).clone()),
        };
        let AttemptEnd { exit_code, reason, .. } = end;
        let since = failures().map(|(attempt, _)| attempt.ended_at).min()?;
        Some(BreakerFailures { failures: failures().count(), since, attempt: last.number, group, exit_code, reason })
    }

    fn last_sign_of_health(&self) -> Option<OffsetDateTime> {
        let longest_failure: Duration = self.failures.iter().map(|(failure, _)| failure.ran).max().unwrap_or_default();
        let healthy_run = (longest_failure * 2_i32).max(HEALTHY_RUN);
        let sign = |known: &&KnownGroup| match known.state {
            GroupState::Ended { success: true, at, .. } => Some(at),
            GroupState::Active { running_since: Some(since), .. } if self.facts.now - since >= healthy_run => {
                Some(since)
            }
            _ => None,
        };
        self.groups.iter().filter_map(sign).max()
    }
}
