//! How a group ended, or why it does not start, as Azure shows it.

use super::{Container, ContainerGroup, ContainerState, Phase};

impl ContainerGroup {
    /// The exit code of its worker, if it has exited.
    pub fn exit_code(&self) -> Option<i64> {
        self.workers().filter_map(|container| container.state.as_ref()?.exit_code).max_by_key(|code| code.abs())
    }

    /// Why it ended, or why its start fails, in Azure's words, if Azure says why.
    pub fn cause(&self) -> Option<String> {
        if let Some(failure) = self.start_failure() {
            return Some(failure.reason);
        }
        if !matches!(self.phase(), Phase::Ended(_)) {
            return None;
        }
        let detail = self.workers().filter_map(|container| container.state.as_ref()).find_map(detail);
        // If the containers ran, earlier warnings are not the reason why they ended.
        let event = self.workers().filter(|_| self.provisioning_has_failed()).find_map(last_warning);
        match (detail, event) {
            (Some(detail), Some(event)) => Some(format!("{detail}: {event}")),
            (Some(detail), None) => Some(detail),
            (None, Some(event)) => Some(format!("provisioning failed: {event}")),
            (None, None) => self.provisioning_has_failed().then(|| "provisioning failed".to_owned()),
        }
    }
}

/// Azure's word for how a container ended, if it says more than the exit code.
fn detail(state: &ContainerState) -> Option<String> {
    let says_nothing = |word: &str| ["", "Completed", "Error"].iter().any(|plain| word.eq_ignore_ascii_case(plain));
    state.detail_status.clone().filter(|word| !says_nothing(word))
}

fn last_warning(container: &Container) -> Option<&str> {
    let warnings = container.events.iter().filter(|event| event.is_warning && !event.message.is_empty());
    warnings.max_by_key(|event| event.first_at).map(|event| event.message.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container_group::ContainerEvent;
    use crate::test_support::{exited, group, in_state};

    #[test]
    fn what_azure_says_more_than_the_exit_code_is_the_cause() {
        let ended = |code, word: &str| {
            let state = ContainerState { detail_status: Some(word.to_owned()), ..exited(code, 0, Some(9)) };
            let group = group("g", &[], "Succeeded", &[Some(state)]);
            (group.exit_code(), group.cause())
        };
        assert_eq!(ended(Some(137), "OOMKilled"), (Some(137), Some("OOMKilled".to_owned())));
        assert_eq!(ended(Some(1), "Error"), (Some(1), None));
        assert_eq!(ended(Some(0), "Completed"), (Some(0), None));
        let stopped = "Container stopped per client request";
        assert_eq!(ended(None, stopped), (None, Some(stopped.to_owned())));
    }

    #[test]
    fn of_a_provisioning_that_failed_the_last_warning_is_the_cause() {
        let mut group = group("g", &[], "Failed", &[Some(in_state("Waiting"))]);
        assert_eq!(group.cause().as_deref(), Some("provisioning failed"));
        let warning = ContainerEvent { message: "no such image".into(), is_warning: true, ..ContainerEvent::default() };
        group.containers[0].events = vec![ContainerEvent::default(), warning];
        assert_eq!(group.cause().as_deref(), Some("provisioning failed: no such image"));
        assert_eq!((group.exit_code(), group.provisioning_state.as_str()), (None, "Failed"));
    }
}
