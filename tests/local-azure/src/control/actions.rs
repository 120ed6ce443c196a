//! Actions on the local Azure over HTTP, besides faults.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Refusal, parse};
use crate::container_groups::{Exit, Phase};
use crate::local::{LocalAzure, TOPIC};
use crate::passes::is_report;
use crate::sample;

/// The most messages that one request sends: more than any page shows, in well under a second.
const MAX_COUNT: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    size_mb: u32,
    #[serde(default = "one")]
    count: u32,
}

fn one() -> u32 {
    1
}

/// Sends messages about files of one size, and answers with their ids.
pub(super) async fn send(State(azure): State<LocalAzure>, body: Bytes) -> Result<(StatusCode, Json<Value>), Refusal> {
    let Messages { size_mb, count } = parse(&body)?;
    if !(1..=MAX_COUNT).contains(&count) {
        return Err(Refusal::Invalid(format!("count is 1 to {MAX_COUNT}")));
    }
    let ids: Vec<_> = (0..count).map(|_| Uuid::new_v4().to_string()).collect();
    let messages = ids.iter().map(|id| sample::message(id, size_mb));
    azure.service_bus.publish_all(TOPIC, messages).map_err(|error| Refusal::NotFound(error.to_string()))?;
    Ok((StatusCode::CREATED, Json(json!({ "ids": ids }))))
}

/// Takes the report of a pass that did not run under this Functions host.
pub(super) async fn report(State(azure): State<LocalAzure>, body: Bytes) -> Result<StatusCode, Refusal> {
    let report: Value = parse(&body)?;
    if !is_report(&report) {
        let expected = "a report is what `aci-scaler once --json` prints: an object with messages and groups";
        return Err(Refusal::Invalid(expected.to_owned()));
    }
    azure.passes.add_report(report);
    Ok(StatusCode::CREATED)
}

/// Cuts the connections of all clients of Service Bus.
pub(super) async fn drop_connections(State(azure): State<LocalAzure>) -> StatusCode {
    azure.service_bus.drop_connections();
    StatusCode::NO_CONTENT
}

/// Ends a container at once, as if its process had exited like this.
pub(super) async fn exit(
    State(azure): State<LocalAzure>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let exit: Exit = parse(&body)?;
    let groups = azure.resource_manager.container_groups();
    let group = groups.group(&name).ok_or_else(|| no_group(&name))?;
    if !matches!(group.phase, Phase::Running { .. }) || !groups.finish(&name, exit) {
        return Err(Refusal::Invalid(format!("the container group {name} is not running")));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Everything that a container printed, for a group that exists or was deleted lately.
pub(super) async fn log(State(azure): State<LocalAzure>, Path(name): Path<String>) -> Result<String, Refusal> {
    let groups = azure.resource_manager.container_groups();
    let gone = || groups.gone().into_iter().rev().map(|gone| gone.group).find(|group| group.name == name);
    let group = groups.group(&name).or_else(gone).ok_or_else(|| no_group(&name))?;
    let lines = group.log.iter().flat_map(|line| [line.as_str(), "\n"]);
    Ok(lines.collect())
}

pub(super) fn no_group(name: &str) -> Refusal {
    Refusal::NotFound(format!("there is no container group {name}"))
}
