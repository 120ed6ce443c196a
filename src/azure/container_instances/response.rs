//! Reads Azure's answers leniently: what is not needed may be anything.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::azure::bad_answer::BadAnswer;
use crate::container_group::{Container, ContainerGroup, ContainerState, GroupName, NamePrefix, tag};
use crate::services::ArmError;

/// A group of a list, or nothing if another scaler, or nobody, manages it.
///
/// # Errors
/// When a managed group cannot be read: to leave it out would be to take it for absent.
pub(super) fn managed_group(item: Value, managed_by: &NamePrefix) -> Result<Option<ContainerGroup>, ArmError> {
    let tags = item.get("tags").and_then(Value::as_object);
    let manager = tags.and_then(|tags| tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag::MANAGED_BY)));
    if manager.and_then(|(_, value)| value.as_str()) != Some(managed_by.as_str()) {
        return Ok(None);
    }
    serde_json::from_value::<GroupBody>(item).map_err(BadAnswer::Body)?.into_group().map(Some)
}

/// The group that a GET answers with.
pub(super) fn group(body: &[u8]) -> Result<ContainerGroup, ArmError> {
    serde_json::from_slice::<GroupBody>(body).map_err(BadAnswer::Body)?.into_group()
}

/// The text of a container's log, which may be null.
pub(super) fn logs(body: &[u8]) -> Result<String, ArmError> {
    let logs: LogsBody = serde_json::from_slice(body).map_err(BadAnswer::Body)?;
    Ok(logs.content.unwrap_or_default())
}

#[derive(Deserialize)]
struct LogsBody {
    content: Option<String>,
}

#[derive(Deserialize)]
struct GroupBody {
    name: String,
    tags: Option<BTreeMap<String, Value>>,
    properties: Option<PropertiesBody>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PropertiesBody {
    provisioning_state: Option<String>,
    containers: Option<Vec<ContainerBody>>,
}

#[derive(Deserialize)]
struct ContainerBody {
    name: String,
    properties: Option<ContainerPropertiesBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerPropertiesBody {
    instance_view: Option<InstanceViewBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstanceViewBody {
    current_state: Option<StateBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateBody {
    state: Option<String>,
    exit_code: Option<i64>,
    start_time: Option<String>,
    finish_time: Option<String>,
    detail_status: Option<String>,
}

impl GroupBody {
    fn into_group(self) -> Result<ContainerGroup, ArmError> {
        let name = GroupName::parse(&self.name).map_err(|error| BadAnswer::GroupName { name: self.name, error })?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let properties = self.properties.unwrap_or_default();
        Ok(ContainerGroup {
            name,
            tags: self.tags.unwrap_or_default().into_iter().map(|(key, value)| (key, text(value))).collect(),
            provisioning_state: properties.provisioning_state.unwrap_or_default(),
            containers: properties
                .containers
                .unwrap_or_default()
                .into_iter()
                .map(ContainerBody::into_container)
                .collect(),
        })
    }
}

impl ContainerBody {
    fn into_container(self) -> Container {
        let view = self.properties.and_then(|properties| properties.instance_view);
        let state = view.and_then(|view| view.current_state).map(StateBody::into_state);
        Container { name: self.name, state }
    }
}

impl StateBody {
    fn into_state(self) -> ContainerState {
        // The container runtime has 0001-01-01 or 1970-01-01 for what it does not know (kubernetes#120331): a container that
        // began then would have run for decades.
        let is_known = |moment: &OffsetDateTime| *moment > OffsetDateTime::UNIX_EPOCH;
        let moment = |text: Option<String>| OffsetDateTime::parse(text?.as_str(), &Rfc3339).ok().filter(is_known);
        ContainerState {
            state: self.state.unwrap_or_default(),
            exit_code: self.exit_code,
            started_at: moment(self.start_time),
            finished_at: moment(self.finish_time),
            detail_status: self.detail_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    #[test]
    fn a_moment_that_the_container_runtime_does_not_know_is_none() {
        let started_at = |start_time: &str| {
            let state = json!({ "state": "Terminated", "startTime": start_time, "finishTime": "2026-01-02T03:04:05Z" });
            let container = json!({ "name": "worker", "properties": { "instanceView": { "currentState": state } } });
            let group = json!({ "name": "worker-1", "properties": { "containers": [container] } });
            let mut group = super::group(group.to_string().as_bytes()).unwrap();
            let state = group.containers.remove(0).state.unwrap();
            assert_eq!(state.finished_at, Some(datetime!(2026-01-02 03:04:05 UTC)));
            state.started_at
        };
        for unknown in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00", "", "soon"] {
            assert_eq!(started_at(unknown), None, "{unknown}");
        }
        assert_eq!(started_at("1970-01-01T00:00:01Z"), Some(datetime!(1970-01-01 00:00:01 UTC)));
        assert_eq!(started_at("2026-01-02T03:04:00.5Z"), Some(datetime!(2026-01-02 03:04:00.5 UTC)));
    }
}
