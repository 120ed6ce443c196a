//! Deletes groups, each after logging its last lines, until Azure throttles.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::budget;
use super::{Applier, MAX_LOOK_UP_AGE};
use crate::container_group::{ContainerGroup, GroupName, Phase, tag};
use crate::pass::log_capture::Captured;
use crate::pass::side_by_side;
use crate::plan::{Delete, DeleteReason, GroupOutcome};
use crate::services::{ArmError, ContainerGroups};
use crate::sync::Mutex;
use crate::telemetry;

pub(super) struct Deleter<'a, G> {
    applier: &'a Applier<'a, G>,
    /// A permit for each DELETE that may be under way.
    workers: Semaphore,
    /// A permit for each DELETE and for each look-up ahead of one.
    looks: Semaphore,
    /// Why this pass deletes no further group.
    stopped: Mutex<Option<String>>,
}

impl<'a, G: ContainerGroups> Deleter<'a, G> {
    pub(super) fn new(applier: &'a Applier<'a, G>) -> Self {
        let [workers, looks] = [1, 2].map(|times| Semaphore::new(times * applier.workers));
        Self { applier, workers, looks, stopped: Mutex::default() }
    }

    /// Deletes groups. As many DELETEs as there are workers run at once, and ahead of them as many look-ups and as many reads of
    /// logs.
    pub(super) async fn delete_all(&self, deletes: Vec<Delete>) -> Vec<(GroupName, GroupOutcome)> {
        side_by_side(3 * self.applier.workers, deletes.into_iter().map(|delete| self.delete(delete))).await
    }

    /// Deletes a group, or returns why not.
    async fn delete(&self, Delete { group, reason }: Delete) -> (GroupName, GroupOutcome) {
        let outcome = self.capture_and_delete(&group, reason).await.unwrap_or_else(|instead| instead);
        (group.name.clone(), outcome)
    }

    /// # Errors
    /// The outcome of a group that is not deleted.
    async fn capture_and_delete(
        &self,
        group: &ContainerGroup,
        because: DeleteReason,
    ) -> Result<GroupOutcome, GroupOutcome> {
        self.go_on()?;
        let deleted = self.limit(self.capture(group, because)).await?;
        let _ahead = self.turn(&self.looks).await?;
        // If another process may have created a new group with this name since, there is only the look-up right before the delete.
        let is_ahead = !self.applier.reuses_names;
        let looked_up_at = Instant::now();
        if is_ahead {
            self.limit(self.look_up(group, because)).await?;
        }
        let _worker = self.turn(&self.workers).await?;
        let delete = async {
            if !is_ahead || looked_up_at.elapsed() > MAX_LOOK_UP_AGE {
                self.look_up(group, because).await?;
                self.go_on()?;
            }
            self.send(group, because).await
        };
        self.limit(delete).await?;
        Ok(deleted)
    }

    async fn limit<T>(&self, work: impl Future<Output = Result<T, GroupOutcome>>) -> Result<T, GroupOutcome> {
        let cut = || GroupOutcome::DeleteFailed { reason: "the pass had to end before Azure answered".to_owned() };
        self.applier.deadline.limit(work).await.unwrap_or_else(|| Err(cut()))
    }

    /// Waits for a permit.
    async fn turn<'s>(&self, of: &'s Semaphore) -> Result<SemaphorePermit<'s>, GroupOutcome> {
        let permit = self.applier.deadline.limit(of.acquire()).await.ok_or(GroupOutcome::WaitingDeadline)?;
        self.go_on()?;
        Ok(permit.expect("it is never closed"))
    }

    fn go_on(&self) -> Result<(), GroupOutcome> {
        match self.stopped.lock().clone() {
            Some(reason) => Err(GroupOutcome::WaitingQuota { reason }),
            None if self.applier.deadline.has_passed() => Err(GroupOutcome::WaitingDeadline),
            None => Ok(()),
        }
    }

    /// Logs the last lines, and returns the outcome of the group once it is deleted.
    async fn capture(&self, group: &ContainerGroup, because: DeleteReason) -> Result<GroupOutcome, GroupOutcome> {
        let Applier { log_capture, groups, time, .. } = self.applier;
        let deleted = match log_capture.capture(*groups, group, because, time.now()).await {
            Captured::Logged { lines } => GroupOutcome::Deleted { because, log_lines: lines },
            Captured::Lost(error) => GroupOutcome::DeletedWithoutLogs { because, reason: error.to_string() },
            Captured::NotYet(error @ ArmError::Throttled { .. }) => return Err(self.throttled(&error)),
            Captured::NotYet(error) => return Err(GroupOutcome::WaitingLogs { reason: error.to_string() }),
        };
        // Once the group is gone, its last lines are only in this log.
        telemetry::settle().await;
        Ok(deleted)
    }

    /// Reads the group once more before the delete: since the pass observed it, a running group with the same name may have
    /// replaced it, or somebody may have tagged it `keep=true`.
    async fn look_up(&self, group: &ContainerGroup, because: DeleteReason) -> Result<(), GroupOutcome> {
        match self.applier.groups.get(&group.name).await {
            Ok(Some(now)) if may_still_be_deleted(group, &now, because) => Ok(()),
            Ok(_) => Err(GroupOutcome::Changed),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Sends the request.
    async fn send(&self, group: &ContainerGroup, because: DeleteReason) -> Result<(), GroupOutcome> {
        let accepted = self.applier.groups.delete(&group.name).await.map_err(|error| self.failed(&error))?;
        self.applier.budget.saw(accepted.remaining);
        if let Some(left) = accepted.remaining.filter(|left| *left <= budget::spare(self.applier.workers)) {
            self.applier.budget.is_low(left);
        }
        self.applier.log_capture.forget(&group.name);
        tracing::info!(
            event = "deleted", group = %group.name, subscription = group.tag(tag::SUBSCRIPTION_NAME),
            message_id = group.tag(tag::MESSAGE_ID), attempt = group.attempt(), because = because.as_str(), "deleted a container group"
        );
        Ok(())
    }

    fn failed(&self, error: &ArmError) -> GroupOutcome {
        match error {
            ArmError::Throttled { .. } => self.throttled(error),
            error => GroupOutcome::DeleteFailed { reason: error.to_string() },
        }
    }

    fn throttled(&self, error: &ArmError) -> GroupOutcome {
        self.applier.budget.throttled();
        let reason = error.to_string();
        self.stopped.lock().get_or_insert(reason.clone());
        GroupOutcome::WaitingQuota { reason }
    }
}

/// Whether a group is still as it was when the pass decided to delete it.
fn may_still_be_deleted(observed: &ContainerGroup, now: &ContainerGroup, because: DeleteReason) -> bool {
    let same_phase = match (because, observed.phase(), now.phase()) {
        (DeleteReason::Stuck, Phase::Starting, phase) => !matches!(phase, Phase::Running { .. }),
        (_, before, phase) => before == phase,
    };
    let same_dates = because != DeleteReason::Stuck || have_same_dates(observed, now);
    let same_owner = now.ownership == observed.ownership;
    same_phase && same_dates && same_owner && !now.is_kept() && now.sequence_number() == observed.sequence_number()
}

/// Whether what counts against a group that never started has the same dates: its tags, or, if it has none, Azure's events.
fn have_same_dates(observed: &ContainerGroup, now: &ContainerGroup) -> bool {
    let tags =
        |group: &ContainerGroup| [tag::WAITING_SINCE, tag::ENDED_SINCE].map(|key| group.tag(key).map(str::to_owned));
    let events =
        |group: &ContainerGroup| (group.starting_since(), group.start_failure().and_then(|failure| failure.since));
    let by_tags = tags(observed);
    by_tags == tags(now) && (by_tags.iter().any(Option::is_some) || events(observed) == events(now))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::container_group::{Container, ContainerEvent, ContainerState, Ownership};
    use crate::test_support::NOW;

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

    #[test]
    fn a_group_whose_start_fails_goes_only_while_its_tag_or_its_events_are_the_same() {
        let starting = |failed_at, tagged: Option<&str>| {
            let event = |name: &str, is_warning, first_at| ContainerEvent {
                name: name.to_owned(),
                message: "the image".to_owned(),
                is_warning,
                first_at,
            };
            let worker = Container {
                name: "worker".to_owned(),
                state: Some(ContainerState { state: "Waiting".to_owned(), ..ContainerState::default() }),
                events: vec![event("Pulling", false, Some(NOW)), event("Failed", true, Some(failed_at))],
                memory: None,
            };
            let tags = tagged.map(|since| (tag::WAITING_SINCE.to_owned(), since.to_owned()));
            ContainerGroup {
                provisioning_state: "Creating".to_owned(),
                containers: vec![worker],
                tags: tags.into_iter().collect(),
                ..failed_group()
            }
        };
        let later = NOW + time::Duration::MINUTE;
        let goes = |observed, now| may_still_be_deleted(&observed, &now, DeleteReason::Stuck);
        assert!(goes(starting(NOW, None), starting(NOW, None)));
        assert!(!goes(starting(NOW, None), starting(later, None)), "a new one of its name");
        // Azure keeps only the last events.
        let tagged = Some("2026-01-05T10:00:00Z");
        assert!(goes(starting(NOW, tagged), starting(later, tagged)));
        assert!(!goes(starting(NOW, tagged), starting(NOW, None)), "a new one of its name");
    }
}
