//! Adds, lists and removes rules for container groups over HTTP.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::how_often::occurrence;
use super::{Created, parse};
use crate::container_groups::{Behaviour, GroupSelector, Rule};
use crate::local::LocalAzure;

pub(super) async fn all(State(azure): State<LocalAzure>) -> Json<Value> {
    Json(json!(azure.resource_manager.container_groups().rules()))
}

pub(super) async fn add(State(azure): State<LocalAzure>, body: Bytes) -> Created {
    let RuleBody { behaviour, groups, times, probability, seed } = parse(&body)?;
    let rule = Rule::of(groups, behaviour).occurring(occurrence(times, probability, seed)?);
    let created = json!(rule);
    azure.resource_manager.container_groups().inject(rule);
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn clear(State(azure): State<LocalAzure>) -> StatusCode {
    azure.resource_manager.container_groups().clear_rules();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleBody {
    behaviour: Behaviour,
    #[serde(default)]
    groups: GroupSelector,
    times: Option<u32>,
    probability: Option<f64>,
    seed: Option<u64>,
}
