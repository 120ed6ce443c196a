//! The causes in an outcome, in the same form for all outcomes.

use time::OffsetDateTime;

use super::words::not_enough;
use crate::container_group::{GroupName, MemoryGb, memory_in_words};
use crate::plan::{AttemptEnd, BreakerFailures, MessageOutcome};

/// Why a message has its outcome, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Cause {
    pub(super) attempt: Option<u32>,
    pub(super) group: Option<GroupName>,
    pub(super) exit_code: Option<i64>,
    pub(super) reason: Option<String>,
    pub(super) ran_out_of_gb: Option<MemoryGb>,
    pub(super) since: Option<OffsetDateTime>,
    /// When the outcome will change.
    pub(super) until: Option<OffsetDateTime>,
}

impl Cause {
    pub(super) fn of(outcome: &MessageOutcome) -> Self {
        let ended = |attempt: u32, group: &Option<GroupName>, end: &AttemptEnd| Self {
            attempt: Some(attempt),
            group: group.clone(),
            exit_code: end.exit_code,
            reason: end.reason.clone(),
            ran_out_of_gb: end.ran_out_of_gb,
            since: end.since,
            until: None,
        };
        let because = |reason: &str| Self { reason: Some(reason.to_owned()), ..Self::default() };
        let has = |group: &GroupName| Self { group: Some(group.clone()), ..Self::default() };
        match outcome {
            MessageOutcome::BackingOff { attempt, until, group, end } => {
                Self { until: Some(*until), ..ended(*attempt, group, end) }
            }
            MessageOutcome::Parked { attempts, group, end } => ended(*attempts, group, end),
            MessageOutcome::HeldByBreaker { until, failures: Some(failures) } => {
                let BreakerFailures { since, attempt, group, exit_code, reason, .. } = failures.clone();
                let (attempt, since) = (Some(attempt), Some(since));
                Self { attempt, group, exit_code, reason, since, until: *until, ..Self::default() }
            }
            MessageOutcome::CreateBackingOff { until, reason, .. } => Self { until: Some(*until), ..because(reason) },
            MessageOutcome::HeldByFailedCreates { reason }
            | MessageOutcome::WaitingQuota { reason }
            | MessageOutcome::Invalid { reason } => because(reason),
            MessageOutcome::Failed { group, reason } => Self { group: Some(group.clone()), ..because(reason) },
            MessageOutcome::Running { group, reason, since } => {
                Self { reason: reason.clone(), since: *since, ..has(group) }
            }
            MessageOutcome::Created { group, memory_gb, ran_out_of_gb }
            | MessageOutcome::ToBeCreated { group, memory_gb, ran_out_of_gb, .. } => {
                let reason = ran_out_of_gb.map(|_| memory_in_words(*memory_gb, *ran_out_of_gb));
                Self { reason, ..has(group) }
            }
            MessageOutcome::Found { group }
            | MessageOutcome::Finished { group }
            | MessageOutcome::Changed { group } => has(group),
            _ => Self::default(),
        }
    }

    /// The exit code and the reason, in a few words.
    pub(super) fn words(&self) -> String {
        let code = self.exit_code.map(|code| format!("exit code {code}"));
        let ran_out_of = self.ran_out_of_gb.map(not_enough);
        [code, self.reason.clone(), ran_out_of].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
