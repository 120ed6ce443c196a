//! Deletes groups, each after its last words.

use super::Applier;
use crate::container_group::{ContainerGroup, GroupName, Phase, tag};
use crate::pass::last_words::Captured;
use crate::pass::report::GroupOutcome;
use crate::plan::{Delete, Reason};
use crate::services::{ArmError, ContainerGroups};

impl<G: ContainerGroups> Applier<'_, G> {
    /// Deletes a group, or says why not.
    pub(super) async fn delete(&self, Delete { group, reason }: Delete) -> (GroupName, GroupOutcome) {
        let name = group.name.clone();
        let outcome = if self.deadline.has_passed() {
            GroupOutcome::WaitingDeadline
        } else {
            let cut = GroupOutcome::DeleteFailed { reason: "the pass had to end before Azure answered".to_owned() };
            self.deadline.limit(self.capture_and_delete(&group, reason)).await.unwrap_or(cut)
        };
        (name, outcome)
    }

    /// The group may have been replaced since it was observed, by one of the same name that is at work, and somebody
    /// may have asked for it to be kept. So the last thing before the delete is another look.
    async fn capture_and_delete(&self, group: &ContainerGroup, because: Reason) -> GroupOutcome {
        let deleted = match self.last_words.capture(self.groups, group).await {
            Captured::Logged { lines } => GroupOutcome::Deleted { because, log_lines: lines },
            Captured::Lost(error) => GroupOutcome::DeletedWithoutLogs { because, reason: error.to_string() },
            Captured::NotYet(error) => {
                tracing::warn!(group = %group.name, %error, "a container group stays until its log can be read");
                return GroupOutcome::WaitingLogs { reason: error.to_string() };
            }
        };
        match self.groups.get(&group.name).await {
            Ok(Some(now)) if may_still_go(group, &now, because) => {}
            Ok(_) => return GroupOutcome::Changed,
            Err(error) => return failed(group, &error),
        }
        match self.groups.delete(&group.name).await {
            Ok(()) => {
                tracing::info!(group = %group.name, ended = ended(group), ?because, "deleted a container group");
                deleted
            }
            Err(error) => failed(group, &error),
        }
    }
}

/// Whether a group is what it was when its end was decided.
fn may_still_go(observed: &ContainerGroup, now: &ContainerGroup, because: Reason) -> bool {
    let same_phase = match (because, observed.phase(), now.phase()) {
        // A container that never started is not dated, but the tag that counts against it is.
        (Reason::Stuck, _, phase) => {
            let tagged = |group: &ContainerGroup| group.tag(tag::WAITING_SINCE).map(str::to_owned);
            !matches!(phase, Phase::Running { .. }) && tagged(observed) == tagged(now)
        }
        (_, before, phase) => before == phase,
    };
    same_phase && !now.is_kept() && now.sequence_number() == observed.sequence_number()
}

fn failed(group: &ContainerGroup, error: &ArmError) -> GroupOutcome {
    tracing::warn!(group = %group.name, %error, "a container group was not deleted");
    GroupOutcome::DeleteFailed { reason: error.to_string() }
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
