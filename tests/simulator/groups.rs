//! The container groups of the simulated world, and how they change by themselves.

use std::collections::BTreeMap;

use aci_scaler::container_group::{
    Container, ContainerEvent, ContainerGroup, ContainerState, GroupName, MemoryGb, NamePrefix, Ownership,
};
use rust_decimal::Decimal;
use time::OffsetDateTime;

use crate::scene::{Millis, SECOND};

/// A container group.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not of any one")]
pub struct Group {
    pub name: GroupName,
    /// As Azure shows them.
    pub tags: BTreeMap<String, String>,
    /// The tags as they were requested. The simulation uses these, whatever a policy changed.
    pub asked: BTreeMap<String, String>,
    pub life: Life,
    /// Its worker's memory, in tenths of a GB.
    pub memory: i64,
    pub created_at: Millis,
    /// The process that requested it.
    pub creator: u32,
    /// Whether its log was read, or there is none.
    pub log_read: bool,
    /// How often its log could not be read.
    pub log_failures: u32,
    /// Since when an operator wants it to stay.
    pub kept_since: Option<Millis>,
    /// Since when an operator wants to restart the count of attempts at its message.
    pub retried_since: Option<Millis>,
    /// Whether Azure forgets to say when it ended.
    pub undated: bool,
    /// Whether its image cannot be pulled, so that it never starts.
    pub bad_image: bool,
    /// Whether Azure dates the events of its start.
    pub has_events: bool,
    /// Whether another group had its name before.
    pub reuses_name: bool,
}

/// The phase of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It starts, fails to start, or hangs.
    Pending { until: Millis, fails: bool },
    /// Its worker works on a message, or waits for one.
    Running { since: Millis, until: Millis, message: Option<i64>, exit: Exit },
    /// Its worker has exited.
    Exited { since: Millis, at: Millis, code: i64 },
    /// Its provisioning failed.
    Failed { at: Millis },
}

/// How a worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It settles its message, if it has one.
    Settles,
    /// It abandons its message, and exits with success.
    Abandons,
    /// It dies.
    Dies,
    /// It needs more memory than it has.
    RunsOut,
}

impl Exit {
    /// Its exit code.
    pub fn code(self) -> i64 {
        match self {
            Self::Settles | Self::Abandons => 0,
            Self::Dies => 1,
            Self::RunsOut => RAN_OUT,
        }
    }
}

/// The exit code of a worker that ran out of memory.
const RAN_OUT: i64 = 137;

impl Group {
    pub fn tag(&self, key: &str) -> &str {
        self.tags.get(key).map_or("", String::as_str)
    }

    fn asked(&self, key: &str) -> &str {
        self.asked.get(key).map_or("", String::as_str)
    }

    pub fn message_id(&self) -> &str {
        self.asked("message_id")
    }

    pub fn subscription(&self) -> &str {
        self.asked("subscription_name")
    }

    pub fn number(&self) -> i64 {
        self.asked("sequence_number").parse().unwrap_or_default()
    }

    /// The number in its name.
    pub fn attempt(&self) -> u32 {
        self.count() + self.attempts_before()
    }

    /// Which attempt it is since the count was last restarted.
    pub fn count(&self) -> u32 {
        self.asked("attempt").parse().unwrap_or_default()
    }

    pub fn attempts_before(&self) -> u32 {
        self.asked("attempts_before").parse().unwrap_or_default()
    }

    /// Whether it is for the same message as another.
    pub fn is_for(&self, subscription: &str, id: &str) -> bool {
        self.subscription() == subscription && self.message_id() == id
    }

    /// Whether it belongs to the scaler.
    pub fn ownership(&self) -> Ownership {
        let prefix = NamePrefix::parse("worker").expect("it is a prefix");
        Ownership::of(&prefix, self.name.as_str(), |key| self.tags.get(key).map(String::as_str))
    }

    pub fn is_managed(&self) -> bool {
        self.ownership() != Ownership::Foreign
    }

    pub fn is_live(&self) -> bool {
        matches!(self.life, Life::Pending { .. } | Life::Running { .. })
    }

    /// When it changes by itself.
    pub fn changes_at(&self) -> Millis {
        match self.life {
            Life::Pending { until, .. } | Life::Running { until, .. } => until,
            Life::Exited { .. } | Life::Failed { .. } => Millis::MAX,
        }
    }

    /// As a list shows it, without the state of its container, or as a GET does.
    pub fn seen(
        &self,
        in_list: bool,
        odd_state: Option<&'static str>,
        moment: impl Fn(Millis) -> OffsetDateTime,
    ) -> ContainerGroup {
        let (provisioning, state) = match self.life {
            Life::Pending { .. } => {
                let detail_status = self.bad_image.then(|| "ImagePullBackOff".to_owned());
                ("Pending", ContainerState { state: "Waiting".into(), detail_status, ..ContainerState::default() })
            }
            Life::Running { since, .. } => {
                let started_at = Some(moment(since));
                let state = ContainerState { state: "Running".into(), started_at, ..ContainerState::default() };
                (odd_state.unwrap_or("Succeeded"), state)
            }
            Life::Exited { since, at, code } => {
                let state = ContainerState {
                    state: "Terminated".into(),
                    exit_code: Some(code),
                    started_at: Some(moment(since)),
                    finished_at: (!self.undated).then(|| moment(at)),
                    detail_status: (code == RAN_OUT).then(|| "OOMKilled".to_owned()),
                };
                ("Succeeded", state)
            }
            Life::Failed { .. } => ("Failed", ContainerState::default()),
        };
        let state = (!in_list && provisioning != "Failed").then_some(state);
        let events = if in_list { Vec::new() } else { self.events(moment) };
        let memory = MemoryGb::from_decimal(Decimal::new(self.memory, 1)).ok();
        ContainerGroup {
            name: self.name.clone(),
            tags: self.tags.clone(),
            provisioning_state: provisioning.into(),
            containers: vec![Container { name: "worker".into(), state, events, memory }],
            size: None,
            init_containers: Vec::new(),
            ownership: self.ownership(),
        }
    }

    /// The events of its start.
    fn events(&self, moment: impl Fn(Millis) -> OffsetDateTime) -> Vec<ContainerEvent> {
        let event = |name: &str, is_warning, at| ContainerEvent {
            name: name.into(),
            message: "the image".into(),
            is_warning,
            first_at: Some(moment(at)),
        };
        match self.life {
            Life::Pending { .. } if self.has_events && self.bad_image => {
                vec![event("Pulling", false, self.created_at), event("Failed", true, self.created_at + 5 * SECOND)]
            }
            Life::Pending { .. } if self.has_events => vec![event("Pulling", false, self.created_at)],
            _ => Vec::new(),
        }
    }
}
