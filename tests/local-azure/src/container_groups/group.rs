//! A container group: its states, and how it is shown.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::AbortHandle;

use super::behaviour::StartFailure;
use super::companions::Companions;
use super::engine::Statuses;
use super::hidden::{hide_instance_views, hide_secrets};
use super::log::LogSink;
use super::managed_identity::show_identity;
use super::spec::GroupSpec;
use super::tag_policy::Tags;
use super::worker::Exit;
use crate::clock;

/// The phase of a container group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accepted, and no more.
    Pending,
    /// The image is being pulled.
    Pulling,
    /// The image cannot be pulled; the service keeps trying.
    ImagePullBackOff,
    /// The container cannot be created or started for another reason; the service keeps trying.
    StartFails(StartFailure),
    /// The containers run.
    Running {
        /// Since when.
        started: OffsetDateTime,
    },
    /// The containers have exited.
    Terminated {
        /// When they started.
        started: OffsetDateTime,
        /// When they exited.
        finished: OffsetDateTime,
        /// How.
        exit: Exit,
    },
    /// The region turned out to have no room, after the PUT was accepted.
    NoCapacity,
    /// Whatever the planted JSON says.
    Planted,
}

impl Phase {
    /// Whether an operation on the group is under way, so that another one is refused.
    pub(super) fn is_transitioning(self) -> bool {
        matches!(self, Self::Pending | Self::Pulling)
    }

    fn is_running(self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// Whether the group no longer does anything.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Terminated { .. } | Self::NoCapacity)
    }

    fn provisioning_state(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Pulling | Self::ImagePullBackOff | Self::StartFails(_) => "Creating",
            Self::NoCapacity => "Failed",
            Self::Running { .. } | Self::Terminated { .. } | Self::Planted => "Succeeded",
        }
    }

    fn group_state(self) -> &'static str {
        match self {
            Self::Running { .. } => "Running",
            Self::Terminated { exit: Exit::Stopped, .. } => "Stopped",
            Self::Terminated { exit, .. } if exit.code() == Some(0) => "Succeeded",
            Self::Terminated { .. } => "Failed",
            _ => "Pending",
        }
    }

    pub(super) fn container_state(self) -> Option<Value> {
        match self {
            Self::Pulling => Some(json!({ "state": "Waiting", "detailStatus": "CreateContainerConfig" })),
            Self::ImagePullBackOff => Some(json!({ "state": "Waiting", "detailStatus": "ImagePullBackOff" })),
            Self::StartFails(failure) => Some(json!({ "state": "Waiting", "detailStatus": failure.detail_status() })),
            Self::Running { started } => {
                Some(json!({ "state": "Running", "startTime": timestamp(started), "detailStatus": "" }))
            }
            Self::Terminated { started, finished, exit } => {
                let mut state = json!({
                    "state": "Terminated",
                    "startTime": timestamp(started),
                    "finishTime": timestamp(finished),
                    "detailStatus": exit.detail_status(),
                });
                if let Some(code) = exit.code() {
                    state["exitCode"] = json!(code);
                }
                Some(state)
            }
            Self::Pending | Self::NoCapacity | Self::Planted => None,
        }
    }
}

/// Which request a group's JSON is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// A GET, or the answer to a PUT, PATCH or DELETE.
    Single,
    /// A list, which shows no instance views.
    Listed,
}

/// A container group that exists.
#[derive(Debug)]
pub(super) struct Group {
    pub id: String,
    pub name: String,
    pub content: Content,
    /// The tags of the last PUT, before any policy changed them.
    pub asked_tags: Tags,
    pub phase: Phase,
    /// What is shown instead of the phase's own.
    pub provisioning_state: Option<String>,
    pub events: Vec<Value>,
    pub log: LogSink,
    pub companions: Companions,
    /// The states of its containers, if an engine runs them.
    pub statuses: Statuses,
    /// When this run began.
    pub created: OffsetDateTime,
    /// Tells this run of the group from earlier ones, whose tasks may still be ending.
    pub life: u64,
    pub task: Option<AbortHandle>,
    /// The id of the operation that the last PUT began.
    pub operation: String,
}

#[derive(Debug)]
pub(super) enum Content {
    Spec(GroupSpec),
    Planted(Value),
}

impl Group {
    /// Begins a run.
    pub(super) fn new(id: String, name: &str, spec: GroupSpec, asked_tags: Tags, life: u64, operation: String) -> Self {
        Self {
            id,
            name: name.to_owned(),
            content: Content::Spec(spec),
            asked_tags,
            phase: Phase::Pending,
            provisioning_state: None,
            events: Vec::new(),
            log: LogSink::default(),
            companions: Companions::default(),
            statuses: Statuses::default(),
            created: clock::now(),
            life,
            task: None,
            operation,
        }
    }

    /// Whether none of its containers does anything anymore.
    pub(super) fn is_over(&self) -> bool {
        let has_sidecars = matches!(&self.content, Content::Spec(spec) if spec.containers.len() > 1);
        self.phase.is_over() && !(has_sidecars && self.companions.sidecar(self.phase).is_running())
    }

    pub(super) fn tags(&self) -> Tags {
        match &self.content {
            Content::Planted(json) => planted_tags(json),
            Content::Spec(spec) => spec.tags.clone(),
        }
    }

    pub(super) fn set_tags(&mut self, tags: Tags) {
        match &mut self.content {
            Content::Planted(json) => json["tags"] = json!(tags),
            Content::Spec(spec) => spec.tags = tags,
        }
    }

    pub(super) fn location(&self) -> String {
        normalize_location(match &self.content {
            Content::Planted(json) => json["location"].as_str().unwrap_or_default(),
            Content::Spec(spec) => &spec.location,
        })
    }

    pub(super) fn record(&mut self, kind: &str, name: &str, message: &str) -> Value {
        let now = event_time(clock::now());
        let event = json!({
            "count": 1, "firstTimestamp": now, "lastTimestamp": now, "name": name, "message": message, "type": kind,
        });
        self.events.push(event.clone());
        event
    }

    /// Counts all events once more.
    pub(super) fn repeat_events(&mut self) {
        for event in &mut self.events {
            event["count"] = json!(event["count"].as_u64().unwrap_or(0) + 1);
            event["lastTimestamp"] = json!(event_time(clock::now()));
        }
    }

    /// The group as the service shows it: without any secret, and in lists without any instance view.
    pub(super) fn to_json(&self, view: View) -> Value {
        let mut group = match &self.content {
            Content::Planted(json) => json.clone(),
            Content::Spec(spec) => self.spec_to_json(spec),
        };
        if let Some(properties) = group.get_mut("properties") {
            hide_secrets(properties);
            if view == View::Listed {
                hide_instance_views(properties);
            }
        }
        group
    }

    fn spec_to_json(&self, spec: &GroupSpec) -> Value {
        let mut properties = spec.properties.clone();
        for (key, value) in [
            ("sku", json!("Standard")),
            ("provisioningTimeoutInSeconds", json!(1800)),
            ("isCustomProvisioningTimeout", json!(false)),
            ("initContainers", json!([])),
        ] {
            set_default(&mut properties, key, value);
        }
        let provisioning_state = self.provisioning_state.as_deref();
        properties["provisioningState"] = json!(provisioning_state.unwrap_or(self.phase.provisioning_state()));
        // Events before a container is created are the group's; later ones are the container's.
        let state = self.phase.container_state();
        let group_events = if state.is_none() { self.events.as_slice() } else { &[] };
        let is_sole = spec.containers.len() == 1;
        let sidecar = self.companions.sidecar(self.phase);
        let group_state = if is_sole || !sidecar.is_running() { self.phase } else { sidecar }.group_state();
        properties["instanceView"] = json!({ "events": group_events, "state": group_state });
        let worker = spec.worker_index();
        let containers = properties["containers"].as_array_mut().into_iter().flatten();
        for (index, (container, asked)) in containers.zip(&spec.containers).enumerate() {
            let container = &mut container["properties"];
            for key in ["command", "ports", "environmentVariables"] {
                set_default(container, key, json!([]));
            }
            container["resources"]["requests"] = json!({ "memoryInGB": asked.memory_gb, "cpu": asked.cpu });
            let state = if index == worker { state.clone() } else { sidecar.container_state() };
            if let Some(state) = state {
                container["instanceView"] = json!({ "restartCount": 0, "currentState": state, "events": self.events });
            }
        }
        for (index, init) in properties["initContainers"].as_array_mut().into_iter().flatten().enumerate() {
            if let Some(state) = Companions::init_container(self.phase, index == 0, self.created) {
                init["properties"]["instanceView"] = json!({ "restartCount": 0, "currentState": state, "events": [] });
            }
        }
        self.show_statuses(&mut properties);
        let mut group = json!({
            "properties": properties,
            "id": self.id,
            "name": self.name,
            "type": "Microsoft.ContainerInstance/containerGroups",
            "location": normalize_location(&spec.location),
            "tags": spec.tags,
        });
        if let Some(zones) = &spec.zones {
            group["zones"] = zones.clone();
        }
        if let Some(identity) = &spec.identity {
            group["identity"] = show_identity(identity.clone());
        }
        group
    }

    /// The names of its containers.
    pub(super) fn containers(&self) -> Vec<String> {
        match &self.content {
            Content::Spec(spec) => {
                let containers = spec.containers.iter().map(|container| container.name.as_str());
                containers.chain(spec.init_containers()).map(str::to_owned).collect()
            }
            Content::Planted(json) => {
                let containers = json["properties"]["containers"].as_array().into_iter().flatten();
                containers.filter_map(|container| container["name"].as_str()).map(str::to_owned).collect()
            }
        }
    }
}

/// `West Europe` and `westeurope` are the same location.
pub(super) fn normalize_location(location: &str) -> String {
    location.replace(' ', "").to_lowercase()
}

/// The tags in a group's JSON.
pub(super) fn planted_tags(json: &Value) -> Tags {
    let tags = json["tags"].as_object().into_iter().flatten();
    tags.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// The time of an event, to the second as in recorded answers.
pub(super) fn event_time(at: OffsetDateTime) -> String {
    timestamp(at.replace_nanosecond(0).unwrap_or(at))
}

/// A time stamp as the service writes it, to the millisecond.
pub(super) fn timestamp(at: OffsetDateTime) -> String {
    let at = at.replace_millisecond(at.millisecond()).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_default()
}

fn set_default(object: &mut Value, key: &str, value: Value) {
    if object[key].is_null() {
        object[key] = value;
    }
}
