//! How far a group has come in its life.

use time::{Duration, OffsetDateTime};

use super::{Container, ContainerGroup, Liveness};

/// How far a group has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A container of it has not been started yet, or waits to be started again.
    Starting,
    /// It is at work, or in a state that nobody knows.
    Running {
        /// Since when, if Azure says.
        since: Option<OffsetDateTime>,
    },
    /// It is terminal.
    Ended(Ending),
}

/// How a group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whether every container exited with 0. Everything else is a failure: another exit code, none (it was killed for
    /// want of memory, say), and a provisioning that failed.
    pub success: bool,
    /// When the last container ended, if Azure says.
    pub at: Option<OffsetDateTime>,
    /// How long the longest-lived container ran; zero if none did.
    pub ran: Duration,
}

/// Azure's words for a container that has not been started.
const NOT_STARTED: [&str; 4] = ["", "Waiting", "Pending", "Creating"];

impl ContainerGroup {
    /// How far it has come.
    pub fn phase(&self) -> Phase {
        if self.liveness() == Liveness::Terminal {
            return Phase::Ended(self.ending());
        }
        if self.containers.is_empty() || self.containers.iter().any(not_started) {
            return Phase::Starting;
        }
        Phase::Running { since: self.last_start() }
    }

    /// When the last of its containers to be started was, as far as Azure says.
    pub fn last_start(&self) -> Option<OffsetDateTime> {
        self.containers.iter().filter_map(|container| container.state.as_ref()?.started_at).max()
    }

    fn ending(&self) -> Ending {
        let states = || self.containers.iter().map(|container| container.state.as_ref());
        let exited_well =
            |container: &Container| container.state.as_ref().is_some_and(|state| state.exit_code == Some(0));
        let ran = states().flatten().filter_map(|state| Some(state.finished_at? - state.started_at?)).max();
        Ending {
            success: !self.provisioning_has_failed() && self.containers.iter().all(exited_well),
            at: states()
                .map(|state| state?.finished_at)
                .collect::<Option<Vec<_>>>()
                .and_then(|at| at.into_iter().max()),
            ran: ran.unwrap_or_default().max(Duration::ZERO),
        }
    }
}

fn not_started(container: &Container) -> bool {
    let state = container.state.as_ref().map_or("", |state| &state.state);
    NOT_STARTED.iter().any(|word| state.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container_group::ContainerState;
    use crate::test_support::{NOW, exited, in_state, running};

    fn group(provisioning_state: &str, states: &[ContainerState]) -> ContainerGroup {
        let states: Vec<_> = states.iter().cloned().map(Some).collect();
        crate::test_support::group("g", &[], provisioning_state, &states)
    }

    fn ending(provisioning: &str, states: &[ContainerState]) -> Ending {
        let Phase::Ended(ending) = group(provisioning, states).phase() else { panic!("{states:?}") };
        ending
    }

    #[test]
    fn a_group_starts_until_all_its_containers_have_been_started() {
        assert_eq!(group("Pending", &[]).phase(), Phase::Starting);
        assert_eq!(group("Pending", &[ContainerState::default()]).phase(), Phase::Starting);
        assert_eq!(group("Succeeded", &[running(5), in_state("waiting")]).phase(), Phase::Starting);
        let since = Some(NOW + Duration::seconds(5));
        assert_eq!(group("Succeeded", &[running(5)]).phase(), Phase::Running { since });
        let paused = ContainerState { started_at: since, ..in_state("Paused") };
        assert_eq!(group("Succeeded", &[paused]).phase(), Phase::Running { since });
    }

    #[test]
    fn only_exits_with_0_are_a_success() {
        let exit = |code| exited(code, 0, Some(9));
        assert!(ending("Succeeded", &[exit(Some(0)), exit(Some(0))]).success);
        assert!(!ending("Succeeded", &[exit(Some(0)), exit(Some(1))]).success);
        assert!(!ending("Succeeded", &[exit(None)]).success);
        assert!(!ending("Failed", &[exit(Some(0))]).success);
    }

    #[test]
    fn a_group_has_ended_when_its_last_container_has() {
        let exit = |started, finished| exited(Some(0), started, finished);
        let both = ending("Succeeded", &[exit(0, Some(9)), exit(5, Some(7))]);
        assert_eq!((both.at, both.ran), (Some(NOW + Duration::seconds(9)), Duration::seconds(9)));
        assert_eq!(ending("Succeeded", &[exit(0, Some(9)), exit(0, None)]).at, None);
        assert_eq!(
            ending("Failed", &[ContainerState::default()]),
            Ending { success: false, at: None, ran: Duration::ZERO }
        );
        assert_eq!(ending("Succeeded", &[exit(9, Some(0))]).ran, Duration::ZERO);
    }
}
