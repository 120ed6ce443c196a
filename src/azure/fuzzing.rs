//! Untrusted bytes of Resource Manager, for the targets in tests/fuzz.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::arm_list::Pages;
use super::arm_refusal;
use super::container_instances::fuzzing as groups;
use crate::container_group::{ContainerGroup, GroupSpec, NamePrefix};
use crate::http::Answer;
use crate::services::ArmError;

/// Reads a body as a group.
pub fn group(body: &[u8], prefix: &NamePrefix) -> Option<ContainerGroup> {
    groups::group(body, prefix).ok()
}

/// Reads an item of a list as a group of ours.
pub fn listed(item: Value, prefix: &NamePrefix) -> Option<ContainerGroup> {
    groups::listed_group(item, prefix).ok().flatten()
}

/// The body that creates a group.
pub fn request(spec: &GroupSpec) -> Vec<u8> {
    groups::body(spec, None).0
}

/// Reads a body as a log.
pub fn logs(body: &[u8]) -> Option<String> {
    groups::logs(body).ok()
}

/// How many items a page of a list has.
pub fn page(body: &[u8]) -> Option<usize> {
    Pages::default().read(body, "2023-05-01").ok().map(|(items, _)| items.len())
}

/// The code and the message of an answer that is not a success.
pub fn refusal(status: u16, body: &[u8]) -> (String, String) {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    match arm_refusal::from_answer(&answer, None) {
        ArmError::Throttled { code, .. } => (code, String::new()),
        error => (String::new(), error.to_string()),
    }
}
