//! Policies on the tags of container groups over HTTP, and remediation.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::how_often::occurrence;
use super::{Created, Refusal, parse};
use crate::container_groups::{GroupSelector, TagChange, TagPolicy};
use crate::local::LocalAzure;

pub(super) async fn all(State(azure): State<LocalAzure>) -> Json<Value> {
    Json(json!(azure.resource_manager.container_groups().tag_policies()))
}

pub(super) async fn add(State(azure): State<LocalAzure>, body: Bytes) -> Created {
    let PolicyBody { change, groups, after_ms, times, probability, seed } = parse(&body)?;
    let policy = TagPolicy::new(change).of(groups).after(Duration::from_millis(after_ms));
    let policy = policy.occurring(occurrence(times, probability, seed)?);
    let created = json!(policy);
    azure.resource_manager.container_groups().enforce(policy);
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn clear(State(azure): State<LocalAzure>) -> StatusCode {
    azure.resource_manager.container_groups().clear_tag_policies();
    StatusCode::NO_CONTENT
}

/// Changes the tags of the groups that there are, and answers with how many that are.
pub(super) async fn remediate(State(azure): State<LocalAzure>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let Remediation { change, groups } = parse(&body)?;
    let changed = azure.resource_manager.container_groups().remediate(&change, &groups);
    Ok(Json(json!({ "changed": changed })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyBody {
    change: TagChange,
    #[serde(default)]
    groups: GroupSelector,
    #[serde(default)]
    after_ms: u64,
    times: Option<u32>,
    probability: Option<f64>,
    seed: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Remediation {
    change: TagChange,
    #[serde(default)]
    groups: GroupSelector,
}
