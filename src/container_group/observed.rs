//! Container groups as Azure shows them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::{GroupName, MemoryGb, Ownership, tag};

/// A container group as a list or a GET shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerGroup {
    /// Its name.
    pub name: GroupName,
    /// Its tags, with the keys as Azure shows them.
    pub tags: BTreeMap<String, String>,
    /// Azure's word for the state of its deployment: `Pending`, `Creating`, `Succeeded`, `Failed`, and for groups that run
    /// `Updating`, `Repairing`, `Unhealthy`, `Stopping`, and perhaps new ones.
    pub provisioning_state: String,
    pub containers: Vec<Container>,
    /// What all of its containers request together, if Azure says so.
    pub size: Option<GroupSize>,
    /// The containers that run before all others, one after the other.
    pub init_containers: Vec<Container>,
    pub ownership: Ownership,
}

/// The memory and cores of a group, which Azure bills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSize {
    pub memory_gb: Decimal,
    /// Cores.
    pub cpu: Decimal,
}

/// A container of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its state, once it has one. Only a GET shows it.
    pub state: Option<ContainerState>,
    /// Its events. Only a GET shows them.
    pub events: Vec<ContainerEvent>,
    /// The memory that it requests, if Azure says so.
    pub memory: Option<MemoryGb>,
}

/// Something that happened to a container, once or several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerEvent {
    /// Azure's word for it, such as `Pulling`, `Started`, `Failed` or `BackOff`.
    pub name: String,
    pub message: String,
    /// Whether Azure calls it a warning.
    pub is_warning: bool,
    pub first_at: Option<OffsetDateTime>,
}

/// The current state of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerState {
    /// Azure's word for it: `Waiting`, `Running`, `Terminated` and others.
    pub state: String,
    /// The exit code of its process.
    pub exit_code: Option<i64>,
    /// When it started.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// More on the state, such as `Completed`, `Error` or `OOMKilled`.
    pub detail_status: Option<String>,
}

/// Whether a group still works, or may still do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It holds a slot of the cap.
    Active,
    /// It has ended, with success or not.
    Terminal,
}

impl ContainerGroup {
    /// The value of a tag. Azure compares the keys of tags without regard to case.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(have, _)| have.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    /// Whether an operator wants the group to stay.
    pub fn is_kept(&self) -> bool {
        self.tag(tag::KEEP).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The sequence number of the message that it was created for, if its tags say so.
    pub fn sequence_number(&self) -> Option<i64> {
        self.tag(tag::SEQUENCE_NUMBER)?.parse().ok()
    }

    /// Which attempt at its message it is since the count was last restarted; 1 if no tag says so.
    pub fn attempt(&self) -> u32 {
        self.tag(tag::ATTEMPT).and_then(|attempt| attempt.parse().ok()).unwrap_or(1).max(1)
    }

    /// How many attempts there were before the count was last restarted.
    pub fn attempts_before(&self) -> u32 {
        self.tag(tag::ATTEMPTS_BEFORE).and_then(|attempts| attempts.parse().ok()).unwrap_or_default()
    }

    /// The number of the attempt in the group's name, as its tags say. It goes on when the count is restarted.
    pub fn attempt_in_name(&self) -> u32 {
        self.attempt().saturating_add(self.attempts_before())
    }

    /// Whether an operator wants to restart the count of attempts at its message.
    pub fn is_retried(&self) -> bool {
        self.tag(tag::RETRY).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Terminal if the worker has ended, or if provisioning failed and no container runs. Otherwise active, even if its state
    /// is unknown or could not be read.
    pub fn liveness(&self) -> Liveness {
        let given_up =
            self.provisioning_has_failed() && !self.containers.iter().any(|container| container.is("Running"));
        if given_up || self.worker_has_ended() { Liveness::Terminal } else { Liveness::Active }
    }

    /// Whether it is terminal, but Azure may go on with it, and bill it, until it is deleted: provisioning failed, or other
    /// containers have not ended with the worker.
    ///
    /// Source: <https://learn.microsoft.com/azure/container-instances/container-state>.
    pub fn may_be_billed_on(&self) -> bool {
        let all_have_ended = !self.containers.is_empty() && self.containers.iter().all(Container::has_ended);
        self.liveness() == Liveness::Terminal && !all_have_ended
    }

    /// Whether Azure may still be starting its containers for the first time. In any other state a GET may show that the group
    /// has ended.
    pub fn is_being_provisioned(&self) -> bool {
        ["Pending", "Creating"].iter().any(|word| self.provisioning_state.eq_ignore_ascii_case(word))
    }

    pub(super) fn provisioning_has_failed(&self) -> bool {
        self.provisioning_state.eq_ignore_ascii_case("Failed")
    }

    /// All its containers: the worker first, the init containers last.
    pub fn worker_first(&self) -> impl Iterator<Item = &Container> {
        let is_worker = |container: &&Container| container.is_worker();
        let others = self.containers.iter().filter(|container| !container.is_worker());
        self.containers.iter().filter(is_worker).chain(others).chain(&self.init_containers)
    }

    /// The containers that decide the group's phase: the worker, or all if none has that name.
    pub(super) fn workers(&self) -> impl Iterator<Item = &Container> {
        let has_worker = self.containers.iter().any(Container::is_worker);
        self.containers.iter().filter(move |container| !has_worker || container.is_worker())
    }

    fn worker_has_ended(&self) -> bool {
        !self.containers.is_empty() && self.workers().all(Container::has_ended)
    }
}

impl Container {
    /// The name of the container that does the work. Names of containers only need to be unique within their group.
    pub const WORKER: &str = "worker";

    fn is_worker(&self) -> bool {
        self.name.eq_ignore_ascii_case(Self::WORKER)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.is("Terminated") || self.is("Failed")
    }

    /// Whether this is Azure's word for its state.
    fn is(&self, word: &str) -> bool {
        self.state.as_ref().is_some_and(|state| state.state.eq_ignore_ascii_case(word))
    }
}
