//! Container groups as Azure shows them.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{GroupName, tag};

/// A container group as a list or a GET shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerGroup {
    /// Its name.
    pub name: GroupName,
    /// Its tags, with the keys as Azure gives them.
    pub tags: BTreeMap<String, String>,
    /// Azure's word for how far its deployment is; only `Succeeded` and `Failed` may be relied on.
    pub provisioning_state: String,
    /// Its containers.
    pub containers: Vec<Container>,
}

/// A container of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its state, which only a GET shows, and only once the container has one.
    pub state: Option<ContainerState>,
}

/// The current state of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerState {
    /// Azure's word for it: `Waiting`, `Running`, `Terminated` and others.
    pub state: String,
    /// What its process exited with.
    pub exit_code: Option<i64>,
    /// When it started.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// More on the state, such as `Completed`, `Error` or `OOMKilled`.
    pub detail_status: Option<String>,
}

/// Whether a group still does, or may still do, its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It holds a slot of the cap.
    Active,
    /// Its work is over, for better or worse.
    Terminal,
}

impl ContainerGroup {
    /// The value of a tag. Azure compares the keys of tags without regard to case.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(have, _)| have.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    /// Whether somebody asked for this group to be kept.
    pub fn is_kept(&self) -> bool {
        self.tag(tag::KEEP).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The sequence number of the message that it was made for, if it says so.
    pub fn sequence_number(&self) -> Option<i64> {
        self.tag(tag::SEQUENCE_NUMBER)?.parse().ok()
    }

    /// Which attempt at its message it is; the first, unless it says otherwise.
    pub fn attempt(&self) -> u32 {
        self.tag(tag::ATTEMPT).and_then(|attempt| attempt.parse().ok()).unwrap_or(1).max(1)
    }

    /// Terminal when every container is `Terminated` or `Failed`, or the provisioning has failed and no container runs all
    /// the same; active otherwise, states that are unknown or could not be read included.
    pub fn liveness(&self) -> Liveness {
        let given_up =
            self.provisioning_has_failed() && !self.containers.iter().any(|container| container.is("Running"));
        if given_up || self.all_have_ended() { Liveness::Terminal } else { Liveness::Active }
    }

    /// Whether it is terminal because its provisioning has failed. Azure may go on with such a group, and bill it, until it
    /// is deleted.
    ///
    /// Source: <https://learn.microsoft.com/azure/container-instances/container-state>.
    pub fn may_go_on(&self) -> bool {
        self.liveness() == Liveness::Terminal && !self.all_have_ended()
    }

    /// Whether a GET may show more of the group than the list did: its containers have been started.
    pub fn may_have_ended(&self) -> bool {
        self.provisioning_state.eq_ignore_ascii_case("Succeeded") || self.provisioning_has_failed()
    }

    pub(super) fn provisioning_has_failed(&self) -> bool {
        self.provisioning_state.eq_ignore_ascii_case("Failed")
    }

    fn all_have_ended(&self) -> bool {
        let ended = |container: &Container| container.is("Terminated") || container.is("Failed");
        !self.containers.is_empty() && self.containers.iter().all(ended)
    }
}

impl Container {
    /// Whether this is Azure's word for its state.
    fn is(&self, word: &str) -> bool {
        self.state.as_ref().is_some_and(|state| state.state.eq_ignore_ascii_case(word))
    }
}
