//! Deletes groups, each after its last log lines were captured, until Azure wants a break.

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
    /// Why no further group is deleted in this pass.
    stopped: Mutex<Option<String>>,
}

impl<'a, G: ContainerGroups> Deleter<'a, G> {
    pub(super) fn new(applier: &'a Applier<'a, G>) -> Self {
        Self { applier, stopped: Mutex::default() }
    }

    /// Deletes a group, or says why not.
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

    /// The group may have been replaced since it was observed, by one of the same name that is at work, and somebody
    /// may have asked for it to be kept. So the last thing before the delete is another look.
    async fn capture_and_delete(&self, group: &ContainerGroup, because: DeleteReason) -> GroupOutcome {
        let deleted = match self.capture(group, because).await {
            Captured::Logged { lines } => GroupOutcome::Deleted { because, log_lines: lines },
            Captured::Lost(error) => GroupOutcome::DeletedWithoutLogs { because, reason: error.to_string() },
            Captured::NotYet(error @ ArmError::Throttled { .. }) => return self.throttled(&error),
            Captured::NotYet(error) => {
                return GroupOutcome::WaitingLogs { reason: error.to_string() };
            }
        };
        // Once the group is gone, nobody can read its last lines but in our log.
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

/// Whether a group is what it was when deleting it was decided.
fn may_still_be_deleted(observed: &ContainerGroup, now: &ContainerGroup, because: DeleteReason) -> bool {
    let same_phase = match (because, observed.phase(), now.phase()) {
        (DeleteReason::Stuck, Phase::Starting, phase) => !matches!(phase, Phase::Running { .. }),
        (_, before, phase) => before == phase,
    };
    // A container that never started is not dated, but the tag that counts against it is.
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

    /// A group whose provisioning has failed.
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
