//! Changes container groups over HTTP, bypassing their service.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::actions::no_group;
use super::{Refusal, parse};
use crate::local::{LocalAzure, RESOURCE_GROUP};

/// The most groups of somebody else that one request adds: far more than a subscription may have.
const MAX_FOREIGN: usize = 100_000;

/// Deletes a group as somebody else would.
pub(super) async fn remove(State(azure): State<LocalAzure>, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    done(azure.resource_manager.container_groups().remove(&name), &name)
}

/// Shows a group with another provisioning state, or, with null, with its own.
pub(super) async fn show_provisioning_state(
    State(azure): State<LocalAzure>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let state: Option<String> = parse(&body)?;
    done(azure.resource_manager.container_groups().set_provisioning_state(&name, state.as_deref()), &name)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Age {
    seconds: u64,
}

/// Makes a group older.
pub(super) async fn age(
    State(azure): State<LocalAzure>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let Age { seconds } = parse(&body)?;
    done(azure.resource_manager.container_groups().age(&name, Duration::from_secs(seconds)), &name)
}

/// Puts a group there as in its JSON.
pub(super) async fn plant(State(azure): State<LocalAzure>, body: Bytes) -> Result<StatusCode, Refusal> {
    let group: Value = parse(&body)?;
    let in_resource_group = group["id"].as_str().is_some_and(|id| id.split('/').nth(4).is_some());
    if !group["name"].is_string() || !in_resource_group {
        return Err(Refusal::Invalid("a group is the JSON that a GET shows, with its name and id".to_owned()));
    }
    azure.resource_manager.container_groups().plant(group);
    Ok(StatusCode::CREATED)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Foreign {
    count: usize,
    #[serde(default)]
    padding_bytes: usize,
}

/// Fills the resource group with groups of somebody else.
pub(super) async fn plant_foreign(State(azure): State<LocalAzure>, body: Bytes) -> Result<StatusCode, Refusal> {
    let Foreign { count, padding_bytes } = parse(&body)?;
    if count > MAX_FOREIGN {
        return Err(Refusal::Invalid(format!("count is at most {MAX_FOREIGN}")));
    }
    azure.resource_manager.container_groups().plant_foreign(RESOURCE_GROUP, count, padding_bytes);
    Ok(StatusCode::CREATED)
}

fn done(was_there: bool, name: &str) -> Result<StatusCode, Refusal> {
    was_there.then_some(StatusCode::NO_CONTENT).ok_or_else(|| no_group(name))
}
