//! Carries a plan out: creates, then deletes.
//!
//! * A group is created if and only if a look-up right before has not found it, the deadline has not passed and Azure
//!   has not said that it has no room, or only a little, left.
//! * A group is deleted if and only if its last log lines have been seen to, and the deadline has not passed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::last_words::{Captured, LastWords};
use super::report::{GroupOutcome, MessageOutcome};
use crate::container_group::{ContainerGroup, GroupName, GroupSpec};
use crate::deadline::Deadline;
use crate::plan::{Create, Keep, MessageRef, Plan, Skip};
use crate::services::{ArmError, ContainerGroups};

/// The part of a pass that is left to deletes when creates are slow: a quarter, so that neither starves the other.
const DELETES_SHARE: u32 = 4;

/// Creates stop when this little is left of what Azure allows for now, besides what the deletes of this pass take: two
/// creates a worker that were under way already, at the usual four workers.
const SPARE_REQUESTS: u32 = 8;

/// What has become of everything in a plan.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) messages: Vec<(MessageRef, MessageOutcome)>,
    pub(super) groups: Vec<(GroupName, GroupOutcome)>,
}

/// Carries a plan out, with at most `workers` requests for creates, and then for deletes, at once.
pub(super) async fn apply<G: ContainerGroups>(
    groups: &G,
    plan: Plan,
    workers: usize,
    last_words: &LastWords,
    deadline: &Deadline,
) -> Applied {
    let Plan { creates, skips, deletes, keeps, capacity: _ } = plan;
    let creator = Creator {
        groups,
        deadline,
        reserve: deadline.remaining() / DELETES_SHARE,
        spare: u32::try_from(deletes.len()).unwrap_or(u32::MAX).saturating_add(SPARE_REQUESTS),
        stop: Mutex::new(None),
    };
    let created =
        stream::iter(creates).map(|create| creator.create(create)).buffered(workers).collect::<Vec<_>>().await;

    last_words.retain(&deletes);
    let deleted = stream::iter(deletes)
        .map(|group| delete(groups, group, last_words, deadline))
        .buffered(workers)
        .collect::<Vec<_>>()
        .await;

    let skipped = skips.into_iter().map(|(message, skip)| (message, skipped(skip)));
    let kept = keeps.into_iter().map(|(group, keep)| (group, kept(keep)));
    Applied {
        messages: created.into_iter().chain(skipped).collect(),
        groups: deleted.into_iter().chain(kept).collect(),
    }
}

/// The outcome of a message that the plan gives no group.
pub(super) fn skipped(skip: Skip) -> MessageOutcome {
    match skip {
        Skip::Running(group) => MessageOutcome::Running { group },
        Skip::Finished(group) => MessageOutcome::Finished { group },
        Skip::Duplicate => MessageOutcome::Duplicate,
        Skip::Deferred => MessageOutcome::Deferred,
        Skip::Scheduled => MessageOutcome::Scheduled,
        Skip::Expired => MessageOutcome::Expired,
        Skip::Invalid(reason) => MessageOutcome::Invalid { reason: reason.to_string() },
        Skip::WaitingForSlot => MessageOutcome::WaitingCapacity,
    }
}

/// The outcome of a group that the plan lets stay.
pub(super) fn kept(keep: Keep) -> GroupOutcome {
    match keep {
        Keep::Active => GroupOutcome::Active,
        Keep::Unread(error) => GroupOutcome::Unread { reason: error.to_string() },
        Keep::Kept => GroupOutcome::Kept,
        Keep::SubscriptionUnread => GroupOutcome::SubscriptionUnread,
    }
}

struct Creator<'a, G> {
    groups: &'a G,
    deadline: &'a Deadline,
    reserve: Duration,
    spare: u32,
    /// Why no further group is created in this pass.
    stop: Mutex<Option<Stop>>,
}

#[derive(Clone)]
enum Stop {
    /// Azure wants a break.
    Quota(String),
    /// Azure will refuse every other request just the same.
    Refused(String),
}

impl<G: ContainerGroups> Creator<'_, G> {
    async fn create(&self, Create { message, spec }: Create) -> (MessageRef, MessageOutcome) {
        let outcome = match self.stopped() {
            Some(Stop::Quota(reason)) => MessageOutcome::WaitingQuota { reason },
            Some(Stop::Refused(reason)) => MessageOutcome::Failed { group: spec.name, reason },
            None if self.deadline.remaining() <= self.reserve => MessageOutcome::WaitingDeadline,
            None => match self.deadline.limit(self.look_up_and_create(&spec)).await {
                Some(Ok(outcome)) => outcome,
                Some(Err(error)) => self.failed(spec, &error),
                None => {
                    let reason = "the pass had to end before Azure answered".to_owned();
                    MessageOutcome::Failed { group: spec.name, reason }
                }
            },
        };
        (message, outcome)
    }

    /// A PUT on a group that is already there would restart it, or run it again.
    async fn look_up_and_create(&self, spec: &GroupSpec) -> Result<MessageOutcome, ArmError> {
        if self.groups.get(&spec.name).await?.is_some() {
            tracing::info!(group = %spec.name, "the container group is already there");
            return Ok(MessageOutcome::Found { group: spec.name.clone() });
        }
        if let Some(Stop::Quota(reason)) = self.stopped() {
            return Ok(MessageOutcome::WaitingQuota { reason });
        }
        let created = self.groups.create(spec).await?;
        if let Some(left) = created.remaining.filter(|left| *left <= self.spare) {
            self.stop(Stop::Quota(format!("Azure takes only {left} more creates and deletes for now")));
        }
        tracing::info!(
            group = %spec.name, subscription = spec.subscription, memory_gb = spec.memory.to_f64(),
            "created a container group"
        );
        Ok(MessageOutcome::Created { group: spec.name.clone(), memory_gb: spec.memory })
    }

    fn failed(&self, spec: GroupSpec, error: &ArmError) -> MessageOutcome {
        let reason = error.to_string();
        match error {
            ArmError::Throttled { .. } | ArmError::NoCapacity { .. } => {
                tracing::warn!(group = %spec.name, %error, "no further container group is created in this pass");
                self.stop(Stop::Quota(reason.clone()));
                MessageOutcome::WaitingQuota { reason }
            }
            ArmError::Unauthorized { .. } => {
                tracing::error!(group = %spec.name, %error, "no container group can be created");
                self.stop(Stop::Refused(reason.clone()));
                MessageOutcome::Failed { group: spec.name, reason }
            }
            _ => {
                tracing::error!(group = %spec.name, %error, "a container group was not created");
                MessageOutcome::Failed { group: spec.name, reason }
            }
        }
    }

    fn stopped(&self) -> Option<Stop> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stop(&self, reason: Stop) {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }
}

async fn delete<G: ContainerGroups>(
    groups: &G,
    group: ContainerGroup,
    last_words: &LastWords,
    deadline: &Deadline,
) -> (GroupName, GroupOutcome) {
    let outcome = if deadline.has_passed() {
        GroupOutcome::WaitingDeadline
    } else {
        let cut = GroupOutcome::DeleteFailed { reason: "the pass had to end before Azure answered".to_owned() };
        deadline.limit(capture_and_delete(groups, &group, last_words)).await.unwrap_or(cut)
    };
    (group.name, outcome)
}

async fn capture_and_delete<G: ContainerGroups>(
    groups: &G,
    group: &ContainerGroup,
    last_words: &LastWords,
) -> GroupOutcome {
    let deleted = match last_words.capture(groups, group).await {
        Captured::Logged { lines } => GroupOutcome::Deleted { log_lines: lines },
        Captured::Lost(error) => GroupOutcome::DeletedWithoutLogs { reason: error.to_string() },
        Captured::NotYet(error) => {
            tracing::warn!(group = %group.name, %error, "a finished container group stays until its log can be read");
            return GroupOutcome::WaitingLogs { reason: error.to_string() };
        }
    };
    match groups.delete(&group.name).await {
        Ok(()) => {
            tracing::info!(group = %group.name, ended = ended(group), "deleted a finished container group");
            deleted
        }
        Err(error) => {
            tracing::warn!(group = %group.name, %error, "a finished container group was not deleted");
            GroupOutcome::DeleteFailed { reason: error.to_string() }
        }
    }
}

/// How a group ended, in a few words.
fn ended(group: &ContainerGroup) -> String {
    let states = group.containers.iter().filter_map(|container| container.state.as_ref());
    let words = states.map(|state| {
        let exit_code = state.exit_code.map(|code| format!("exit code {code}"));
        [Some(state.state.clone()), exit_code, state.detail_status.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    });
    let words = words.collect::<Vec<_>>().join("; ");
    if words.is_empty() { format!("provisioning {}", group.provisioning_state) } else { words }
}
