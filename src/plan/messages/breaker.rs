//! The breaker of a subscription: while everything fails, it lets one container through now and then instead of one a message.
//!
//! * It is open if and only if the last attempts at [`FAILURES`] messages or more have failed since the last sign of health
//!   in the subscription.
//! * While it is open, it lets one group at a time through. The wait after a failure is as long as the time from the first
//!   failure to that one, at least one back-off and at most half an hour: 1, 1, 2, 4, 8, 16, 30, 30, … minutes.
//! * A sign of health is a group that ended with exit code 0, whatever message it took, or one that has run for twice as
//!   long as any that failed: jobs may take hours, and the others should not wait for the first to end.
//!
//! A message whose count an operator restarts gets its group whatever the breaker says, and its earlier failures no longer
//! count.
//!
//! The breaker is computed from the groups, so a restart of the scaler does not close it while they exist.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};

use super::retry::MAX_BACKOFF;
use crate::message::SubscriptionName;
use crate::plan::cause::{AttemptEnd, BreakerFailures};
use crate::plan::facts::{Facts, GroupState, KnownGroup};
use crate::plan::memory::Attempt;

/// Two failures in a row may be chance; after three, the next one is likely to fail too.
pub(super) const FAILURES: usize = 3;

/// The shortest run that is a sign of health, for when no failed group has run at all: the time of some passes.
const HEALTHY_RUN: Duration = Duration::minutes(1);

/// How many groups a subscription may get now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// As many as there are slots.
    Open,
    /// One, to see whether it succeeds.
    Probe,
    /// None, until this time, or until the group that was let through has ended.
    Held { until: Option<OffsetDateTime> },
}

/// The failures in a subscription, and its groups.
pub(in crate::plan) struct Breaker<'a> {
    facts: &'a Facts<'a>,
    groups: Vec<&'a KnownGroup>,
    failures: Vec<(Attempt, Source<'a>)>,
}

/// Where a failure is known from.
enum Source<'a> {
    Group(&'a KnownGroup),
    Memory(&'a AttemptEnd),
}

impl<'a> Breaker<'a> {
    pub(in crate::plan) fn of(facts: &'a Facts<'a>, subscription: &SubscriptionName) -> Self {
        // Failures older than twice the longest time from one attempt to the end of the next no longer count.
        let oldest = facts.now - (MAX_BACKOFF + facts.rules.provisioning_timeout) * 2;
        let groups: Vec<_> = facts.groups.in_subscription(subscription).collect();
        // An operator who restarts a count says that the cause is fixed.
        let counts = || groups.iter().filter(|known| !known.group.is_retried());
        let recorded = counts().filter(|known| !facts.groups.has_successor(known));
        let recorded = recorded.filter_map(|known| Some((known.as_attempt()?, Source::Group(known))));
        let with_group: HashSet<_> = counts().filter_map(|known| known.message()).collect();
        let remembered = facts.memory.attempts_in(subscription);
        let remembered = remembered.filter(|(message, _)| !with_group.contains(message));
        let remembered = remembered.map(|(_, record)| (record.attempt, Source::Memory(&record.end)));
        let is_recent_failure = |(attempt, _): &(Attempt, Source<'_>)| attempt.failed && attempt.ended_at > oldest;
        let failures = recorded.chain(remembered).filter(is_recent_failure).collect();
        Self { facts, groups, failures }
    }

    /// Whether there are failures, so that a sign of health matters.
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

    /// The failures since the last sign of health, if there are any.
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
