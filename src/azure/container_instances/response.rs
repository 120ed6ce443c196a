//! Reads Azure's answers leniently: unneeded parts may be anything.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Number, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::azure::bad_answer::BadAnswer;
use crate::container_group::{
    Container, ContainerEvent, ContainerGroup, ContainerState, GroupName, GroupSize, MemoryGb, NamePrefix, Ownership,
};
use crate::services::ArmError;

/// A group of a list, or `None` if it is not ours.
///
/// # Errors
/// If one of our groups cannot be read: leaving it out would make it look absent.
pub(in crate::azure) fn listed_group(item: Value, prefix: &NamePrefix) -> Result<Option<ContainerGroup>, ArmError> {
    let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
    let tags = item.get("tags").and_then(Value::as_object);
    let tag = |key: &str| {
        tags.and_then(|tags| tags.iter().find(|(have, _)| have.eq_ignore_ascii_case(key)))
            .and_then(|(_, value)| value.as_str())
    };
    if Ownership::of(prefix, name, tag) == Ownership::Foreign {
        return Ok(None);
    }
    serde_json::from_value::<GroupBody>(item).map_err(BadAnswer::Body)?.into_group(prefix).map(Some)
}

/// The group in the answer to a GET or a PUT.
pub(in crate::azure) fn group(body: &[u8], prefix: &NamePrefix) -> Result<ContainerGroup, ArmError> {
    serde_json::from_slice::<GroupBody>(body).map_err(BadAnswer::Body)?.into_group(prefix)
}

/// The text of a container's log, which may be null.
pub(in crate::azure) fn logs(body: &[u8]) -> Result<String, ArmError> {
    let logs: LogsBody = serde_json::from_slice(body).map_err(BadAnswer::Body)?;
    Ok(logs.content.unwrap_or_default())
}

/// Enough for every kind of event that Azure has; it counts events of one kind together.
const MAX_EVENTS: usize = 50;

/// Enough for every sentence that Azure writes.
const MAX_MESSAGE_CHARS: usize = 500;

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
    init_containers: Option<Vec<ContainerBody>>,
}

#[derive(Deserialize)]
struct ContainerBody {
    name: String,
    properties: Option<ContainerPropertiesBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerPropertiesBody {
    resources: Option<ResourcesBody>,
    instance_view: Option<InstanceViewBody>,
}

#[derive(Deserialize)]
struct ResourcesBody {
    requests: Option<RequestsBody>,
}

#[derive(Deserialize)]
struct RequestsBody {
    #[serde(rename = "memoryInGB")]
    memory_gb: Option<Number>,
    cpu: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstanceViewBody {
    current_state: Option<StateBody>,
    events: Option<Vec<EventBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventBody {
    name: Option<String>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    first_timestamp: Option<String>,
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
    fn into_group(self, prefix: &NamePrefix) -> Result<ContainerGroup, ArmError> {
        let name = GroupName::parse(&self.name).map_err(|error| BadAnswer::GroupName { name: self.name, error })?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let properties = self.properties.unwrap_or_default();
        let tags: BTreeMap<_, _> =
            self.tags.unwrap_or_default().into_iter().map(|(key, value)| (key, text(value))).collect();
        let tag =
            |key: &str| tags.iter().find(|(have, _)| have.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str());
        let list = properties.containers.unwrap_or_default();
        Ok(ContainerGroup {
            size: size(&list),
            ownership: Ownership::of(prefix, name.as_str(), tag),
            name,
            tags,
            provisioning_state: properties.provisioning_state.unwrap_or_default(),
            containers: list.into_iter().map(ContainerBody::into_container).collect(),
            init_containers: containers(properties.init_containers),
        })
    }
}

/// The sum of the containers' requests, unless one has none.
fn size(containers: &[ContainerBody]) -> Option<GroupSize> {
    let mut sum = GroupSize::default();
    for container in containers {
        let requests = container.properties.as_ref()?.resources.as_ref()?.requests.as_ref()?;
        sum.memory_gb += decimal(requests.memory_gb.as_ref())?;
        sum.cpu += decimal(requests.cpu.as_ref())?;
    }
    (!containers.is_empty()).then_some(sum)
}

fn decimal(number: Option<&Number>) -> Option<Decimal> {
    Decimal::from_str(&number?.to_string()).ok()
}

fn containers(bodies: Option<Vec<ContainerBody>>) -> Vec<Container> {
    bodies.unwrap_or_default().into_iter().map(ContainerBody::into_container).collect()
}

impl ContainerBody {
    fn into_container(self) -> Container {
        let (resources, view) =
            self.properties.map_or((None, None), |properties| (properties.resources, properties.instance_view));
        let memory = resources.and_then(|resources| decimal(resources.requests?.memory_gb.as_ref()));
        let (state, events) = view.map_or((None, None), |view| (view.current_state, view.events));
        let events = events.unwrap_or_default().into_iter().take(MAX_EVENTS).map(EventBody::into_event);
        Container {
            name: self.name,
            state: state.map(StateBody::into_state),
            events: events.collect(),
            memory: memory.and_then(|memory| MemoryGb::from_decimal(memory).ok()),
        }
    }
}

impl EventBody {
    fn into_event(self) -> ContainerEvent {
        ContainerEvent {
            name: self.name.unwrap_or_default(),
            message: self.message.unwrap_or_default().chars().take(MAX_MESSAGE_CHARS).collect(),
            is_warning: self.kind.is_some_and(|kind| kind.eq_ignore_ascii_case("Warning")),
            first_at: moment(self.first_timestamp),
        }
    }
}

impl StateBody {
    fn into_state(self) -> ContainerState {
        ContainerState {
            state: self.state.unwrap_or_default(),
            exit_code: self.exit_code,
            started_at: moment(self.start_time),
            finished_at: moment(self.finish_time),
            detail_status: self.detail_status,
        }
    }
}

/// The container runtime uses 0001-01-01 or 1970-01-01 for unknown times (kubernetes#120331), with which a container would
/// have run for decades.
fn moment(text: Option<String>) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text?.as_str(), &Rfc3339).ok().filter(|moment| *moment > OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::container_group::NamePrefix;
    use time::macros::datetime;

    #[test]
    fn a_moment_that_the_container_runtime_does_not_know_is_none() {
        let started_at = |start_time: &str| {
            let state = json!({ "state": "Terminated", "startTime": start_time, "finishTime": "2026-01-02T03:04:05Z" });
            let container = json!({ "name": "worker", "properties": { "instanceView": { "currentState": state } } });
            let group = json!({ "name": "worker-1", "properties": { "containers": [container] } });
            let mut group = super::group(group.to_string().as_bytes(), &NamePrefix::parse("worker").unwrap()).unwrap();
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
