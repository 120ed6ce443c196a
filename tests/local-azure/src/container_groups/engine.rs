//! Container groups whose containers really run: what an engine gets, and what it reports.
//!
//! Without an engine a [`Worker`](super::Worker) runs instead of the first container of a group, and the phase of the group is
//! the state of all its containers. With one each container has its own state, and the phase follows from these.

use std::collections::BTreeMap;
use std::pin::Pin;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tracing::info;

use super::behaviour::StartFailure;
use super::group::{Content, Group, Phase, event_time, timestamp};
use super::life::{Life, Superseded};
use super::log::{LogQuery, LogSink};
use super::managed_identity::ManagedIdentity;
use super::spec::GroupSpec;
use super::worker::{Exit, Job};
use super::{AsyncStatus, ContainerGroups, ContainerSpec, State};
use crate::clock;
use crate::container_groups::state::Key;

/// The future of a group's run.
pub type GroupRun = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the images of container groups.
pub trait Engine: Send + Sync {
    /// Runs a group until all its containers have ended and none restarts. The future is dropped when the group is deleted,
    /// stopped or deployed again; nothing of it may run on then.
    fn run(&self, deployment: Deployment, report: Report) -> GroupRun;
}

/// A container group to run.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The group's name.
    pub group: String,
    /// The group's `properties` as they were sent, secrets included.
    pub properties: Value,
    /// The jobs of its `containers`, in their order.
    pub containers: Vec<Job>,
}

/// One of a group's containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerIndex {
    /// One of its `initContainers`.
    Init(usize),
    /// One of its `containers`.
    Main(usize),
}

/// The state of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It does not run yet, for the reason that `detailStatus` gives.
    Waiting(Waiting),
    /// It runs since then.
    Running(OffsetDateTime),
    /// It has exited.
    Terminated {
        /// When it started.
        started: OffsetDateTime,
        /// When it exited.
        finished: OffsetDateTime,
        /// How.
        exit: Exit,
    },
}

/// Why a container waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Its image is pulled, it is created, or init containers run first.
    Creating,
    /// Its image cannot be pulled; the engine keeps trying.
    ImagePullBackOff,
    /// It cannot be created or started; the engine keeps trying.
    Fails(StartFailure),
    /// It has exited, and is started again after a while.
    CrashLoopBackOff,
}

impl Waiting {
    fn detail_status(self) -> &'static str {
        match self {
            Self::Creating => "CreateContainerConfig",
            Self::ImagePullBackOff => "ImagePullBackOff",
            Self::Fails(failure) => failure.detail_status(),
            Self::CrashLoopBackOff => "CrashLoopBackOff",
        }
    }
}

impl ContainerState {
    fn to_json(self) -> Value {
        match self {
            Self::Waiting(waiting) => json!({ "state": "Waiting", "detailStatus": waiting.detail_status() }),
            Self::Running(started) => {
                json!({ "state": "Running", "startTime": timestamp(started), "detailStatus": "" })
            }
            Self::Terminated { started, finished, exit } => {
                let phase = Phase::Terminated { started, finished, exit };
                phase.container_state().unwrap_or_default()
            }
        }
    }
}

/// What a container shows.
#[derive(Clone, Debug)]
pub(super) struct ContainerStatus {
    state: ContainerState,
    previous: Option<ContainerState>,
    restarts: u32,
    events: Vec<Value>,
    log: LogSink,
}

impl ContainerStatus {
    fn new(log: LogSink) -> Self {
        Self { state: ContainerState::Waiting(Waiting::Creating), previous: None, restarts: 0, events: vec![], log }
    }

    /// Whether it has exited and runs again, or is about to.
    fn has_run(&self) -> bool {
        self.previous.is_some() || !matches!(self.state, ContainerState::Waiting(_))
    }

    fn instance_view(&self) -> Value {
        let mut view = json!({
            "restartCount": self.restarts, "currentState": self.state.to_json(), "events": self.events,
        });
        if let Some(previous) = self.previous {
            view["previousState"] = previous.to_json();
        }
        view
    }

    /// An event that happened before is only counted again.
    fn record(&mut self, kind: &str, name: &str, message: &str) -> Value {
        let now = event_time(clock::now());
        let known = self.events.iter_mut().find(|event| event["name"] == name && event["message"] == message);
        if let Some(event) = known {
            event["count"] = json!(event["count"].as_u64().unwrap_or(0) + 1);
            event["lastTimestamp"] = json!(now);
            return event.clone();
        }
        let event = json!({
            "count": 1, "firstTimestamp": now, "lastTimestamp": now, "name": name, "message": message, "type": kind,
        });
        self.events.push(event.clone());
        event
    }
}

/// The states of a group's containers; none unless an engine runs them.
#[derive(Clone, Debug, Default)]
pub(super) struct Statuses {
    init: Vec<ContainerStatus>,
    main: Vec<ContainerStatus>,
}

impl Statuses {
    fn get_mut(&mut self, index: ContainerIndex) -> Option<&mut ContainerStatus> {
        match index {
            ContainerIndex::Init(index) => self.init.get_mut(index),
            ContainerIndex::Main(index) => self.main.get_mut(index),
        }
    }

    /// The phase that the states of the containers make; nothing without containers.
    fn phase(&self) -> Option<Phase> {
        let pending = self.init.iter().filter(|init| !has_succeeded(init));
        let pending = pending.chain(self.main.iter().filter(|main| !main.has_run()));
        let waiting = pending.filter_map(|status| match status.state {
            ContainerState::Waiting(waiting) => Some(waiting),
            _ => None,
        });
        for waiting in waiting {
            match waiting {
                Waiting::ImagePullBackOff => return Some(Phase::ImagePullBackOff),
                Waiting::Fails(failure) => return Some(Phase::StartFails(failure)),
                Waiting::Creating | Waiting::CrashLoopBackOff => {}
            }
        }
        let failed_init = self.init.iter().find_map(|init| match init.state {
            ContainerState::Terminated { started, finished, exit } if exit != Exit::Code(0) => {
                Some(Phase::Terminated { started, finished, exit })
            }
            _ => None,
        });
        if self.main.iter().any(|main| !main.has_run()) {
            return failed_init.or(Some(Phase::Pulling));
        }
        let started = self.main.iter().filter_map(|main| match main.previous.unwrap_or(main.state) {
            ContainerState::Running(started) | ContainerState::Terminated { started, .. } => Some(started),
            ContainerState::Waiting(_) => None,
        });
        let started = started.min()?;
        let ends = self.main.iter().filter_map(|main| match main.state {
            ContainerState::Terminated { finished, exit, .. } => Some((finished, exit)),
            _ => None,
        });
        let ends: Vec<_> = ends.collect();
        if ends.len() < self.main.len() {
            return Some(Phase::Running { started });
        }
        let finished = ends.iter().map(|(finished, _)| *finished).max()?;
        let failed = ends.iter().map(|(_, exit)| *exit).find(|exit| *exit != Exit::Code(0));
        Some(Phase::Terminated { started, finished, exit: failed.unwrap_or(Exit::Code(0)) })
    }
}

fn has_succeeded(status: &ContainerStatus) -> bool {
    matches!(status.state, ContainerState::Terminated { exit: Exit::Code(0), .. })
}

impl Group {
    /// What a container is started with.
    pub(super) fn job(
        &self,
        spec: &GroupSpec,
        container: &ContainerSpec,
        identity: Option<&ManagedIdentity>,
        log: LogSink,
    ) -> Job {
        let variables = container.environment.iter().map(|(name, v)| (name.clone(), v.value.clone()));
        let identity = identity.map(|identity| identity.variables_for(spec));
        Job {
            group: self.name.clone(),
            container: container.name.clone(),
            image: container.image.clone(),
            command: container.command.clone(),
            environment: variables.chain(identity.into_iter().flatten()).collect(),
            memory_gb: container.memory_gb,
            cpu: container.cpu,
            log,
        }
    }

    /// Shows the containers that an engine runs with their own states.
    pub(super) fn show_statuses(&self, properties: &mut Value) {
        for (list, statuses) in [("containers", &self.statuses.main), ("initContainers", &self.statuses.init)] {
            let containers = properties[list].as_array_mut().into_iter().flatten();
            for (container, status) in containers.zip(statuses) {
                container["properties"]["instanceView"] = status.instance_view();
            }
        }
    }

    /// The log of a container that an engine runs, once it has run.
    pub(super) fn log_of(&self, container: usize, query: LogQuery) -> Option<String> {
        let status = self.statuses.main.get(container).filter(|status| status.has_run())?;
        let is_stopped = matches!(status.state, ContainerState::Terminated { .. });
        Some(status.log.content(query, is_stopped))
    }

    /// Ends the containers that an engine runs, whatever they do.
    pub(super) fn end_statuses(&mut self, finished: OffsetDateTime, exit: Exit) {
        for status in self.statuses.main.iter_mut().chain(&mut self.statuses.init) {
            let started = match status.state {
                ContainerState::Terminated { .. } => continue,
                ContainerState::Running(started) => started,
                ContainerState::Waiting(_) => finished,
            };
            status.state = ContainerState::Terminated { started, finished, exit };
        }
    }
}

impl Life {
    /// Lets an engine run the group.
    pub(super) async fn run_on(&self, engine: &dyn Engine) -> Result<(), Superseded> {
        let (deployment, report) = self.deployment()?;
        engine.run(deployment, report).await;
        Ok(())
    }

    fn deployment(&self) -> Result<(Deployment, Report), Superseded> {
        let mut state = self.groups.state();
        let group = state.living(&self.key, self.number).ok_or(Superseded)?;
        let Content::Spec(spec) = &group.content else { return Err(Superseded) };
        let (spec, first) = (spec.clone(), group.log.clone());
        let log = |index| if index == 0 { first.clone() } else { LogSink::default() };
        let identity = self.groups.0.managed_identity.get();
        let numbered = spec.containers.iter().enumerate();
        let containers: Vec<_> =
            numbered.map(|(index, container)| group.job(&spec, container, identity, log(index))).collect();
        let inits = spec.properties["initContainers"].as_array().map_or(0, Vec::len);
        group.statuses = Statuses {
            init: (0..inits).map(|_| ContainerStatus::new(LogSink::default())).collect(),
            main: containers.iter().map(|job| ContainerStatus::new(job.log.clone())).collect(),
        };
        let deployment = Deployment { group: group.name.clone(), properties: spec.properties, containers };
        let report = Report { groups: self.groups.clone(), key: self.key.clone(), life: self.number };
        Ok((deployment, report))
    }
}

/// Where an engine reports the states of a group. Reports about an ended run are dropped.
#[derive(Clone)]
pub struct Report {
    groups: ContainerGroups,
    key: Key,
    life: u64,
}

impl Report {
    /// Reports the state of a container.
    pub fn state(&self, container: ContainerIndex, state: ContainerState) {
        self.change(container, |status| {
            let was_terminated = matches!(status.state, ContainerState::Terminated { .. });
            if was_terminated && !matches!(state, ContainerState::Terminated { .. }) {
                status.previous = Some(status.state);
                status.restarts += 1;
            }
            status.state = state;
        });
    }

    /// Reports an event of a container: its `kind` is Normal or Warning, and its name is Kubernetes' name.
    pub fn event(&self, container: ContainerIndex, kind: &str, name: &str, message: &str) {
        let mut recorded = Value::Null;
        self.change(container, |status| recorded = status.record(kind, name, message));
        let mut state = self.groups.state();
        let operation = state.living(&self.key, self.life).map(|group| group.operation.clone()).unwrap_or_default();
        if let Some(operation) = state.operations.get_mut(&operation) {
            operation.events.push(recorded);
        }
    }

    /// Where a container prints.
    pub fn log(&self, container: ContainerIndex) -> LogSink {
        let mut log = LogSink::default();
        self.change(container, |status| log = status.log.clone());
        log
    }

    fn change(&self, container: ContainerIndex, change: impl FnOnce(&mut ContainerStatus)) {
        let mut state = self.groups.state();
        let Some(group) = state.living(&self.key, self.life) else { return };
        let Some(status) = group.statuses.get_mut(container) else { return };
        change(status);
        if let Some(phase) = group.statuses.phase().filter(|phase| *phase != group.phase) {
            group.phase = phase;
            let (name, operation) = (group.name.clone(), group.operation.clone());
            info!(group = name, ?phase, "the container group's phase has changed");
            after(&mut state, phase, &name, &operation);
        }
        drop(state);
        self.groups.changed();
    }
}

fn after(state: &mut State, phase: Phase, name: &str, operation: &str) {
    if matches!(phase, Phase::Running { .. }) {
        state.count_run(name);
    }
    if let Some(operation) = state.operations.get_mut(operation) {
        operation.status = AsyncStatus::after(phase);
    }
}

/// The variables of an init container, which no [`Job`] has.
pub(crate) fn variables(container: &Value) -> BTreeMap<String, String> {
    let variables = container["properties"]["environmentVariables"].as_array().into_iter().flatten();
    let named = variables.filter_map(|variable| {
        let value = variable["secureValue"].as_str().or_else(|| variable["value"].as_str()).unwrap_or_default();
        Some((variable["name"].as_str()?.to_owned(), value.to_owned()))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn ended(exit: Exit) -> ContainerState {
        ContainerState::Terminated { started: START, finished: START, exit }
    }

    fn phase(init: &[ContainerState], main: &[ContainerState]) -> Phase {
        let status =
            |state: &ContainerState| ContainerStatus { state: *state, ..ContainerStatus::new(LogSink::default()) };
        let statuses = Statuses { init: init.iter().map(status).collect(), main: main.iter().map(status).collect() };
        statuses.phase().unwrap()
    }

    #[test]
    fn a_group_runs_once_all_its_containers_have_started_and_until_all_have_ended() {
        let (creating, runs) = (ContainerState::Waiting(Waiting::Creating), ContainerState::Running(START));
        assert_eq!(phase(&[], &[runs, creating]), Phase::Pulling);
        assert_eq!(phase(&[], &[runs, runs]), Phase::Running { started: START });
        assert_eq!(phase(&[], &[ended(Exit::Code(0)), runs]), Phase::Running { started: START });
        let is_over = |exits: [Exit; 2], exit| {
            assert_eq!(phase(&[], &exits.map(ended)), Phase::Terminated { started: START, finished: START, exit });
        };
        is_over([Exit::Code(0), Exit::Code(0)], Exit::Code(0));
        is_over([Exit::Code(0), Exit::OutOfMemory], Exit::OutOfMemory);
    }

    #[test]
    fn a_container_that_cannot_start_keeps_its_group_from_running() {
        let fails = ContainerState::Waiting(Waiting::Fails(StartFailure::RunContainerError));
        let runs = ContainerState::Running(START);
        assert_eq!(phase(&[], &[runs, fails]), Phase::StartFails(StartFailure::RunContainerError));
        let pull = ContainerState::Waiting(Waiting::ImagePullBackOff);
        let creating = ContainerState::Waiting(Waiting::Creating);
        assert_eq!(phase(&[pull], &[creating]), Phase::ImagePullBackOff);
    }

    #[test]
    fn an_init_container_that_fails_for_good_ends_the_group() {
        let creating = ContainerState::Waiting(Waiting::Creating);
        let exit = Exit::Code(3);
        let over = Phase::Terminated { started: START, finished: START, exit };
        assert_eq!(phase(&[ended(exit)], &[creating]), over);
        assert_eq!(phase(&[ended(Exit::Code(0))], &[creating]), Phase::Pulling);
    }

    #[test]
    fn a_container_that_waits_to_be_started_again_still_counts_as_running() {
        let mut status = ContainerStatus::new(LogSink::default());
        status.previous = Some(ended(Exit::Code(1)));
        status.state = ContainerState::Waiting(Waiting::CrashLoopBackOff);
        let statuses = Statuses { init: vec![], main: vec![status] };
        assert_eq!(statuses.phase(), Some(Phase::Running { started: START }));
    }

    #[test]
    fn an_event_that_repeats_is_counted() {
        let mut status = ContainerStatus::new(LogSink::default());
        for message in ["a", "b", "a"] {
            status.record("Warning", "Failed", message);
        }
        let counts: Vec<_> = status.events.iter().map(|event| event["count"].as_u64()).collect();
        assert_eq!(counts, [Some(2), Some(1)]);
    }
}
