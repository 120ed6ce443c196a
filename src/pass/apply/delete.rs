//! Deletes groups, each after logging its last lines, until Azure throttles.

use super::Applier;
use super::budget;
use crate::container_group::{ContainerGroup, GroupName, Phase, tag};
use crate::pass::log_capture::Captured;
use crate::plan::{Delete, DeleteReason, GroupOutcome};
use crate::services::{ArmError, ContainerGroups};
use crate::sync::Mutex;
use crate::telemetry;

pub(super) struct Deleter<'a, G> {
    applier: &'a Applier<'a, G>,
    /// Why this pass deletes no further group.
    stopped: Mutex<Option<String>>,
}

impl<'a, G: ContainerGroups> Deleter<'a, G> {
    pub(super) fn new(applier: &'a Applier<'a, G>) -> Self {
        Self { applier, stopped: Mutex::default() }
    }

    /// Deletes a group, or returns why not.
    pub(super) async fn delete(&self, Delete { group, reason }: Delete) -> (GroupName, GroupOutcome) {
        let deadline = self.applier.deadline;
        let outcome = if let Some(reason) = self.stopped() {
            GroupOutcome::WaitingQuota { reason }
        } else if deadline.has_passed() {
            GroupOutcome::WaitingDeadline
        } else {
            let cut = GroupOutcome::DeleteFailed { reason: "the pass had to end before Azure answered".to_owned() };
            deadline.limit(self.capture_and_delete(&group, reason)).await.unwrap_or(cut)
        };
        (group.name.clone(), outcome)
    }

    /// Reads the group once more right before the delete: since the pass observed it, a running group with the same name may
    /// have replaced it, or somebody may have tagged it `keep=true`.
    async fn capture_and_delete(&self, group: &ContainerGroup, because: DeleteReason) -> GroupOutcome {
        let deleted = match self.capture(group, because).await {
            Captured::Logged { lines } => GroupOutcome::Deleted { because, log_lines: lines },
            Captured::Lost(error) => GroupOutcome::DeletedWithoutLogs { because, reason: error.to_string() },
            Captured::NotYet(error @ ArmError::Throttled { .. }) => return self.throttled(&error),
            Captured::NotYet(error) => {
                return GroupOutcome::WaitingLogs { reason: error.to_string() };
            }
        };
        // Once the group is gone, its last lines are only in this log.
        telemetry::settle().await;
        match self.applier.groups.get(&group.name).await {
            Ok(Some(now)) if may_still_be_deleted(group, &now, because) => {}
            Ok(_) => return GroupOutcome::Changed,
            Err(error @ ArmError::Throttled { .. }) => return self.throttled(&error),
            Err(error) => return failed(&error),
        }
        if let Some(reason) = self.stopped() {
            return GroupOutcome::WaitingQuota { reason };
        }
        match self.applier.groups.delete(&group.name).await {
            Ok(accepted) => {
                self.applier.budget.saw(accepted.remaining);
                if let Some(left) = accepted.remaining.filter(|left| *left <= budget::spare(self.applier.workers)) {
                    self.applier.budget.is_low(left);
                }
                self.applier.log_capture.forget(&group.name);
                tracing::info!(
                    event = "deleted", group = %group.name, subscription = group.tag(tag::SUBSCRIPTION_NAME),
                    message_id = group.tag(tag::MESSAGE_ID), attempt = group.attempt(), because = because.as_str(), "deleted a container group"
                );
                deleted
            }
            Err(error @ ArmError::Throttled { .. }) => self.throttled(&error),
            Err(error) => failed(&error),
        }
    }

    fn throttled(&self, error: &ArmError) -> GroupOutcome {
        self.applier.budget.throttled();
        let reason = error.to_string();
        self.stopped.lock().get_or_insert(reason.clone());
        GroupOutcome::WaitingQuota { reason }
    }

    async fn capture(&self, group: &ContainerGroup, because: DeleteReason) -> Captured {
        let Applier { log_capture, groups, time, .. } = self.applier;
        log_capture.capture(*groups, group, because, time.now()).await
    }

    fn stopped(&self) -> Option<String> {
        self.stopped.lock().clone()
    }
}

/// Whether a group is still as it was when the pass decided to delete it.
fn may_still_be_deleted(observed: &ContainerGroup, now: &ContainerGroup, because: DeleteReason) -> bool {
    let same_phase = match (because, observed.phase(), now.phase()) {
        (DeleteReason::Stuck, Phase::Starting, phase) => !matches!(phase, Phase::Running { .. }),
        (_, before, phase) => before == phase,
    };
    // A group that never started has no date of its own, but the tag that counts against it has one.
    let tags =
        |group: &ContainerGroup| [tag::WAITING_SINCE, tag::ENDED_SINCE].map(|key| group.tag(key).map(str::to_owned));
    let same_tags = because != DeleteReason::Stuck || tags(observed) == tags(now);
    let same_owner = now.ownership == observed.ownership;
    same_phase && same_tags && same_owner && !now.is_kept() && now.sequence_number() == observed.sequence_number()
}

fn failed(error: &ArmError) -> GroupOutcome {
    GroupOutcome::DeleteFailed { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::container_group::Ownership;

    /// A group whose provisioning failed.
    fn failed_group() -> ContainerGroup {
        ContainerGroup {
            name: GroupName::parse("g").unwrap(),
            tags: BTreeMap::new(),
            provisioning_state: "Failed".to_owned(),
            containers: Vec::new(),
            size: None,
            init_containers: Vec::new(),
            ownership: Ownership::Tagged,
        }
    }

    #[test]
    fn a_group_of_a_failed_provisioning_goes_only_while_that_is_what_it_is() {
        let mut failed = failed_group();
        failed.tags.insert(tag::ENDED_SINCE.to_owned(), "2026-01-05T10:00:00Z".to_owned());
        let observed = failed.clone();
        assert!(may_still_be_deleted(&observed, &failed, DeleteReason::Stuck));
        failed.tags.clear();
        assert!(!may_still_be_deleted(&observed, &failed, DeleteReason::Stuck), "another one that has failed");
        failed.tags.clone_from(&observed.tags);
        failed.provisioning_state = "Creating".to_owned();
        assert!(!may_still_be_deleted(&observed, &failed, DeleteReason::Stuck), "a new one of its name");
    }
}
