//! The state of a group, and how long it may be in it.

use time::{Duration, OffsetDateTime};

use crate::container_group::{ContainerGroup, Phase};
use crate::plan::memory::{Condition, Memory};
use crate::plan::policy::Rules;

/// How long a start may keep failing. A registry that is down is mostly back by then, and longer costs a slot.
const FAILING_START_LIMIT: Duration = Duration::minutes(5);

/// The state of a group, as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum GroupState {
    /// It starts or runs, or its state is unknown.
    Active {
        /// Since when it has been running, if it does and Azure says.
        running_since: Option<OffsetDateTime>,
        running: bool,
    },
    /// It did not start in time. It counts as a failed attempt.
    Stuck {
        since: OffsetDateTime,
    },
    /// It has run for longer than it may. It counts as a failed attempt.
    Overran {
        since: OffsetDateTime,
    },
    Ended {
        success: bool,
        at: OffsetDateTime,
        ran: Duration,
    },
}

/// When an active group will be stuck or overrun, at the earliest.
pub(super) fn fails_at(group: &ContainerGroup, rules: &Rules, now: OffsetDateTime) -> Option<OffsetDateTime> {
    match group.phase() {
        Phase::Starting => {
            let since = starting_since(group, now).unwrap_or(now);
            let failing = group.start_failure().map(|failure| failure.since.unwrap_or(since) + FAILING_START_LIMIT);
            let at = since + rules.provisioning_timeout;
            Some(failing.map_or(at, |failing| failing.min(at)))
        }
        Phase::Running { since } => Some(since? + rules.max_runtime?),
        Phase::Ended(_) => None,
    }
}

/// Since when a group has been starting, according to what outlives this process: its tag, or Azure's events.
fn starting_since(group: &ContainerGroup, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let by_events = group.starting_since().filter(|since| *since <= now);
    [Condition::Waiting.tagged(group, now), by_events].into_iter().flatten().min()
}

impl GroupState {
    pub(super) fn of(group: &ContainerGroup, memory: &Memory, rules: &Rules, now: OffsetDateTime) -> Self {
        match group.phase() {
            Phase::Starting => {
                let since = starting_since(group, now).or_else(|| memory.watched_since(Condition::Waiting, group));
                let failing = group.start_failure().and_then(|failure| failure.since.filter(|at| *at <= now).or(since));
                match (since, failing) {
                    (_, Some(since)) if now - since >= FAILING_START_LIMIT => Self::Stuck { since },
                    (Some(since), _) if now - since >= rules.provisioning_timeout => Self::Stuck { since },
                    _ => Self::Active { running_since: None, running: false },
                }
            }
            Phase::Running { since } => match (since, rules.max_runtime) {
                (Some(since), Some(limit)) if now - since >= limit => Self::Overran { since },
                _ => Self::Active { running_since: since, running: true },
            },
            Phase::Ended(ending) => Self::Ended {
                success: ending.success,
                // An end in the future is a clock's error, and would delay the next attempt.
                at: ending.at.filter(|at| *at <= now).unwrap_or_else(|| memory.since(Condition::Ended, group, now)),
                ran: ending.ran,
            },
        }
    }

    /// Whether it holds a slot of the cap.
    pub(in crate::plan) fn is_active(self) -> bool {
        !matches!(self, Self::Ended { .. })
    }
}
