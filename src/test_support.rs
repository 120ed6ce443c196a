//! What the unit tests of several modules need.

use ::test_support::environment::{self, variables};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::container_group::{Container, ContainerGroup, ContainerState, GroupName, MemoryGb, Ownership};
use crate::settings::Settings;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-01-05 10:00:00 UTC);

/// Settings with no more than what is required, and a subscription that is skipped.
pub(crate) fn settings() -> Settings {
    Settings::from_environment(&environment::with(&[("SKIP_SUBSCRIPTIONS", "skipped")])).unwrap()
}

/// So many GB.
pub(crate) fn memory(gb: &str) -> MemoryGb {
    MemoryGb::from_decimal(gb.parse().unwrap()).unwrap()
}

/// A group with a container in each of these states, or in none that is known.
pub(crate) fn group(
    name: &str,
    tags: &[(&str, &str)],
    provisioning_state: &str,
    states: &[Option<ContainerState>],
) -> ContainerGroup {
    let container = |state: &Option<ContainerState>| Container {
        name: Container::WORKER.to_owned(),
        state: state.clone(),
        events: Vec::new(),
        memory: None,
    };
    ContainerGroup {
        name: GroupName::parse(name).unwrap(),
        tags: variables(tags),
        provisioning_state: provisioning_state.to_owned(),
        containers: states.iter().map(container).collect(),
        size: None,
        init_containers: Vec::new(),
        ownership: Ownership::Tagged,
    }
}

/// A container of which no more is known than Azure's word for its state.
pub(crate) fn in_state(word: &str) -> ContainerState {
    ContainerState { state: word.to_owned(), ..ContainerState::default() }
}

/// A container that has been running since this many seconds after [`NOW`].
pub(crate) fn running(since: i64) -> ContainerState {
    ContainerState { started_at: Some(NOW + Duration::seconds(since)), ..in_state("Running") }
}

/// A container that ran from and to so many seconds after [`NOW`].
pub(crate) fn exited(code: Option<i64>, started: i64, finished: Option<i64>) -> ContainerState {
    ContainerState {
        exit_code: code,
        started_at: Some(NOW + Duration::seconds(started)),
        finished_at: finished.map(|finished| NOW + Duration::seconds(finished)),
        ..in_state("Terminated")
    }
}
