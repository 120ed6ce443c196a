//! Everything that the page shows, at one moment.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock;
use crate::container_groups::{Exit, GroupSnapshot, Phase};
use crate::local::{LocalAzure, TOPIC};

pub(super) async fn get(State(azure): State<LocalAzure>) -> Json<Value> {
    let subscriptions = azure.service_bus.subscriptions(TOPIC).unwrap_or_default();
    let subscriptions: Vec<_> = subscriptions
        .iter()
        .map(|subscription| {
            json!({
                "name": subscription.name,
                "status": subscription.status.as_str(),
                "messages": subscription.active_messages,
                "dead_letters": subscription.dead_letter_messages,
            })
        })
        .collect();
    let manager = azure.resource_manager.container_groups();
    let gone = manager.gone();
    let gone = gone.iter().map(|gone| group(&gone.group, Some(gone.deleted)));
    let groups: Vec<_> = gone.chain(manager.groups().iter().map(|living| group(living, None))).collect();
    let faults = azure.service_bus.faults().len() + azure.resource_manager.faults().len() + manager.rules().len();
    let faults = faults + manager.tag_policies().len();
    Json(json!({
        "now": timestamp(clock::now()),
        "topic": TOPIC,
        "subscriptions": subscriptions,
        "groups": groups,
        "passes": azure.passes.latest(),
        "faults": faults,
    }))
}

fn group(group: &GroupSnapshot, deleted: Option<OffsetDateTime>) -> Value {
    let (started, finished, exit) = match group.phase {
        Phase::Running { started } => (Some(started), None, None),
        Phase::Terminated { started, finished, exit } => (Some(started), Some(finished), Some(exit)),
        _ => (None, None, None),
    };
    json!({
        "name": group.name,
        "subscription": group.tags.get("subscription_name"),
        "message_id": group.tags.get("message_id"),
        "file_size_mb": group.tags.get("file_size_mb"),
        "memory_gb": group.memory_gb,
        "cpu": group.cpu,
        "state": state(group.phase),
        "exit_code": exit.and_then(Exit::code),
        "created": timestamp(group.created),
        "started": started.map(timestamp),
        "finished": finished.map(timestamp),
        "deleted": deleted.map(timestamp),
    })
}

/// Its name for people.
fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Pulling => "pulling",
        Phase::ImagePullBackOff => "pull fails",
        Phase::StartFails(_) => "start fails",
        Phase::Running { .. } => "running",
        Phase::Terminated { exit: Exit::OutOfMemory, .. } => "out of memory",
        Phase::Terminated { exit: Exit::Code(0), .. } => "succeeded",
        Phase::Terminated { .. } => "failed",
        Phase::NoCapacity => "no capacity",
        Phase::Planted => "planted",
    }
}

fn timestamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
