//! How far a group has come in its life.

use time::{Duration, OffsetDateTime};

use super::{Container, ContainerGroup, Liveness};

/// How far a group has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its worker has not been started yet, or waits to be started again.
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
    /// Whether the worker exited with 0. Everything else is a failure: another exit code, none (it was killed for
    /// want of memory, say), and a provisioning that failed.
    pub success: bool,
    /// When the worker ended, if Azure says.
    pub at: Option<OffsetDateTime>,
    /// How long the worker ran; zero if it did not.
    pub ran: Duration,
}

/// Azure's words for a container that has not been started.
const NOT_STARTED: [&str; 4] = ["", "Waiting", "Pending", "Creating"];

/// Azure's words for a start that fails again and again.
///
/// Source: <https://learn.microsoft.com/azure/container-instances/container-instances-troubleshooting>.
const FAILING_START: [&str; 6] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// Why a group that starts does not come to run, as Azure says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFailure {
    /// Azure's word, and its own sentence where there is one.
    pub reason: String,
    /// Since when, if Azure says.
    pub since: Option<OffsetDateTime>,
}

impl ContainerGroup {
    /// How far it has come.
    pub fn phase(&self) -> Phase {
        if self.liveness() == Liveness::Terminal {
            return Phase::Ended(self.ending());
        }
        if self.containers.is_empty() || self.workers().any(not_started) {
            return Phase::Starting;
        }
        Phase::Running { since: self.workers().filter_map(|container| container.state.as_ref()?.started_at).max() }
    }

    /// Why its start fails, if it is starting and Azure says that it does.
    pub fn start_failure(&self) -> Option<StartFailure> {
        if self.phase() != Phase::Starting {
            return None;
        }
        let waiting = self.containers.iter().filter(|container| not_started(container));
        self.init_containers.iter().find_map(init_failure_of).or_else(|| waiting.into_iter().find_map(start_failure_of))
    }

    /// Since when it has been starting, by Azure's events. A group that has run before is starting again, and its events may
    /// be from the first time.
    pub fn starting_since(&self) -> Option<OffsetDateTime> {
        let events = || self.containers.iter().flat_map(|container| &container.events);
        if self.phase() != Phase::Starting || events().any(|event| event.name.eq_ignore_ascii_case("Started")) {
            return None;
        }
        let before = self.init_containers.iter().flat_map(|container| &container.events);
        events().chain(before).filter_map(|event| event.first_at).min()
    }

    /// When the last of its containers to be started was, as far as Azure says.
    pub fn last_start(&self) -> Option<OffsetDateTime> {
        self.containers.iter().filter_map(|container| container.state.as_ref()?.started_at).max()
    }

    /// When its worker was started, as far as Azure says.
    pub fn first_start(&self) -> Option<OffsetDateTime> {
        self.workers().filter_map(|container| container.state.as_ref()?.started_at).min()
    }

    fn ending(&self) -> Ending {
        let states = || self.workers().map(|container| container.state.as_ref());
        let exited_well =
            |container: &Container| container.state.as_ref().is_some_and(|state| state.exit_code == Some(0));
        let ran = states().flatten().filter_map(|state| Some(state.finished_at? - state.started_at?)).max();
        Ending {
            success: !self.provisioning_has_failed() && self.workers().all(exited_well),
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

/// Why a container fails that runs before all others, which then never start.
fn init_failure_of(container: &Container) -> Option<StartFailure> {
    let failure = match container.state.as_ref().filter(|_| container.has_ended()) {
        Some(state) if state.exit_code == Some(0) => return None,
        Some(state) => {
            let exit_code = state.exit_code.map(|code| format!("exit code {code}"));
            let words = [state.detail_status.clone().filter(|word| !word.is_empty()), exit_code];
            let words: Vec<_> = words.into_iter().flatten().collect();
            StartFailure { reason: words.join(", "), since: state.finished_at }
        }
        None => start_failure_of(container)?,
    };
    Some(StartFailure { reason: format!("init container {}: {}", container.name, failure.reason), ..failure })
}

fn start_failure_of(container: &Container) -> Option<StartFailure> {
    let word = container.state.as_ref().and_then(|state| state.detail_status.as_deref()).unwrap_or_default();
    let is_failing = FAILING_START.iter().any(|failing| word.eq_ignore_ascii_case(failing));
    let event = container.events.iter().find(|event| event.is_warning && event.name.eq_ignore_ascii_case("Failed"));
    let reason = match event {
        _ if !is_failing && event.is_none() => return None,
        Some(event) if word.is_empty() => event.message.clone(),
        Some(event) => format!("{word}: {}", event.message),
        None => word.to_owned(),
    };
    Some(StartFailure { reason, since: event.and_then(|event| event.first_at) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container_group::{ContainerEvent, ContainerState};
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

    #[test]
    fn the_worker_alone_decides_where_there_is_one() {
        let worker = |state| Container { name: "Worker".into(), state: Some(state), events: Vec::new(), memory: None };
        let sidecar =
            |state| Container { name: "sidecar".into(), state: Some(state), events: Vec::new(), memory: None };
        let mut both = group("Succeeded", &[]);
        both.containers = vec![worker(exited(Some(0), 0, Some(9))), sidecar(running(0))];
        let Phase::Ended(ending) = both.phase() else { panic!("{both:?}") };
        assert!(ending.success && both.may_be_billed_on());
        both.containers = vec![worker(running(5)), sidecar(in_state("Waiting"))];
        assert_eq!(both.phase(), Phase::Running { since: Some(NOW + Duration::seconds(5)) });
        both.containers = vec![worker(in_state("Waiting")), sidecar(exited(Some(1), 0, Some(1)))];
        assert_eq!(both.phase(), Phase::Starting);
    }

    #[test]
    fn an_init_container_that_fails_is_a_start_that_fails_in_its_words() {
        let init = |state| Container { name: "fetch".into(), state: Some(state), events: Vec::new(), memory: None };
        let waiting = ContainerState { detail_status: Some("PodInitializing".into()), ..in_state("Waiting") };
        let mut group = group("Creating", &[waiting]);
        group.init_containers = vec![init(exited(Some(0), 0, Some(1))), init(running(1))];
        assert_eq!(group.start_failure(), None);
        let failed = ContainerState { detail_status: Some("Error".into()), ..exited(Some(3), 1, Some(2)) };
        group.init_containers[1] = init(failed);
        let reason = "init container fetch: Error, exit code 3".to_owned();
        let since = Some(NOW + Duration::seconds(2));
        assert_eq!((group.phase(), group.start_failure()), (Phase::Starting, Some(StartFailure { reason, since })));
        let pulling = ContainerState { detail_status: Some("ImagePullBackOff".into()), ..in_state("Waiting") };
        group.init_containers[1] = init(pulling);
        assert_eq!(group.start_failure().unwrap().reason, "init container fetch: ImagePullBackOff");
    }

    #[test]
    fn a_start_that_azure_says_is_failing_is_told_from_one_that_takes_its_time() {
        let event = |name: &str, is_warning, at| ContainerEvent {
            name: name.into(),
            message: "Failed to pull image".into(),
            is_warning,
            first_at: Some(NOW + Duration::seconds(at)),
        };
        let starting = |word: &str, events: &[ContainerEvent]| {
            let waiting = ContainerState { detail_status: Some(word.into()), ..in_state("Waiting") };
            let mut group = group("Creating", &[waiting]);
            group.containers[0].events = events.to_vec();
            group
        };
        let failing = starting("ImagePullBackOff", &[event("Pulling", false, 1), event("Failed", true, 3)]);
        let since = Some(NOW + Duration::seconds(3));
        let reason = "ImagePullBackOff: Failed to pull image".into();
        assert_eq!(failing.start_failure(), Some(StartFailure { reason, since }));
        assert_eq!(failing.starting_since(), Some(NOW + Duration::seconds(1)));
        let undated = starting("RunContainerError", &[]);
        assert_eq!(undated.start_failure(), Some(StartFailure { reason: "RunContainerError".into(), since: None }));
        assert_eq!(starting("CreateContainerConfig", &[event("Pulling", false, 1)]).start_failure(), None);
        assert_eq!(starting("", &[event("Failed", false, 1)]).start_failure(), None, "it is no warning");
        assert_eq!(starting("", &[event("Started", false, 1)]).starting_since(), None, "it has run before");
    }
}
