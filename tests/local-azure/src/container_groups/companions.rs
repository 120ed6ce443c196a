//! The containers next to a group's worker: init containers, which run before all others, and sidecars, which run at the same
//! time as the worker.
//!
//! None of them runs a program here. Init containers exit at once, with 0 unless a [`Behaviour`](super::Behaviour) makes the
//! first one fail. Sidecars start with the worker and go on after it, until they are ended or the group is stopped or deleted, as
//! containers do whose programs do not end by themselves.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::behaviour::StartFailure;
use super::group::{Phase, timestamp};
use super::log::{LogQuery, LogSink};
use super::spec::GroupSpec;
use super::worker::Exit;

/// The container that does the work in a group with several.
const WORKER: &str = "worker";

#[derive(Debug, Default)]
pub(super) struct Companions {
    /// When the sidecars were ended, and how.
    ended: Option<(OffsetDateTime, Exit)>,
}

impl GroupSpec {
    /// Which of the containers is the worker: the one with that name, or else the first.
    pub(super) fn worker_index(&self) -> usize {
        self.containers.iter().position(|container| container.name == WORKER).unwrap_or_default()
    }

    pub(super) fn init_containers(&self) -> impl Iterator<Item = &str> {
        self.properties["initContainers"].as_array().into_iter().flatten().filter_map(|init| init["name"].as_str())
    }
}

impl Companions {
    pub(super) fn end(&mut self, at: OffsetDateTime, exit: Exit) {
        self.ended.get_or_insert((at, exit));
    }

    /// A sidecar's state while its group is in a phase.
    pub(super) fn sidecar(&self, group: Phase) -> Phase {
        match (group, self.ended) {
            (Phase::Terminated { exit: Exit::Stopped, .. }, None) => group,
            (Phase::Running { started } | Phase::Terminated { started, .. }, Some((finished, exit))) => {
                Phase::Terminated { started, finished, exit }
            }
            (Phase::Terminated { started, .. }, None) => Phase::Running { started },
            (other, _) => other,
        }
    }

    /// The state of an init container; `since` is when the group was created.
    pub(super) fn init_container(group: Phase, is_first: bool, since: OffsetDateTime) -> Option<Value> {
        let exited = |at: OffsetDateTime, code: i32| {
            json!({
                "state": "Terminated",
                "startTime": timestamp(at),
                "exitCode": code,
                "finishTime": timestamp(at),
                "detailStatus": Exit::Code(code).detail_status(),
            })
        };
        match group {
            Phase::Running { started } | Phase::Terminated { started, .. } => Some(exited(started, 0)),
            Phase::StartFails(StartFailure::InitContainerFails) if is_first => Some(exited(since, 1)),
            Phase::Pulling | Phase::ImagePullBackOff | Phase::StartFails(_) => {
                Some(json!({ "state": "Waiting", "detailStatus": "PodInitializing" }))
            }
            Phase::Pending | Phase::NoCapacity | Phase::Planted => None,
        }
    }

    /// The log of a container that is not the worker, if there is one yet.
    pub(super) fn log(&self, group: Phase, spec: &GroupSpec, container: &str, query: LogQuery) -> Option<String> {
        let log = LogSink::default();
        let is_first = spec.init_containers().next() == Some(container);
        if spec.init_containers().any(|init| init == container) {
            let text = match Self::init_container(group, is_first, OffsetDateTime::UNIX_EPOCH)?["exitCode"].as_i64()? {
                0 => "is done",
                _ => "has failed",
            };
            log.line(format!("the init container {container} {text}"));
        } else {
            log.line(format!("the sidecar {container} has begun"));
            match self.sidecar(group) {
                Phase::Running { .. } => {}
                Phase::Terminated { .. } => log.line(format!("the sidecar {container} has ended")),
                _ => return None,
            }
        }
        Some(log.content(query, true))
    }
}
