//! Asynchronous operations, which clients may poll.

use serde_json::{Value, json};

use super::group::{Phase, timestamp};
use crate::clock;

/// An operation that a PUT began, as its `Azure-AsyncOperation` shows it.
#[derive(Debug)]
pub(super) struct AsyncOperation {
    resource_id: String,
    started: String,
    pub status: AsyncStatus,
    pub events: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsyncStatus {
    Pending,
    Succeeded,
    Failed,
}

impl AsyncStatus {
    pub(super) fn after(phase: Phase) -> Self {
        match phase {
            Phase::NoCapacity => Self::Failed,
            Phase::Pending | Phase::Pulling | Phase::ImagePullBackOff | Phase::StartFails(_) => Self::Pending,
            Phase::Running { .. } | Phase::Terminated { .. } | Phase::Planted => Self::Succeeded,
        }
    }
}

impl AsyncOperation {
    pub(super) fn new(resource_id: String, status: AsyncStatus) -> Self {
        Self { resource_id, started: timestamp(clock::now()), status, events: Vec::new() }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut json = json!({
            "id": self.resource_id,
            "status": format!("{:?}", self.status),
            "startTime": self.started,
            "properties": { "events": self.events },
        });
        if self.status == AsyncStatus::Failed {
            let message = self.events.last().map(|event| event["message"].clone());
            json["error"] = json!({ "message": message });
        }
        json
    }
}
