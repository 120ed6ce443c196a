//! What happens to container groups without a request to their service: others delete them, time passes, the platform shows
//! its own states, and the resource group fills with groups of others.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use tokio::time::sleep;
use tracing::info;

use super::ContainerGroups;
use super::group::{Group, Phase, event_time};
use super::state::{Key, State};

impl ContainerGroups {
    /// Deletes a group as somebody else would, whatever it does. False when there is no such group.
    pub fn remove(&self, name: &str) -> bool {
        let mut state = self.state();
        let named = |(key, group): (&Key, &Group)| group.name.eq_ignore_ascii_case(name).then(|| key.clone());
        let key = state.groups.iter().find_map(named);
        let removed = key.is_some_and(|key| state.remove(&key));
        drop(state);
        self.changed();
        removed
    }

    /// The same after a time, unless another PUT than the one that began this operation has deployed the group meanwhile.
    pub(super) async fn remove_after(self, after: std::time::Duration, key: Key, operation: String) {
        sleep(after).await;
        let mut state = self.state();
        if state.groups.get(&key).is_some_and(|group| group.operation == operation) {
            state.remove(&key);
        }
        drop(state);
        self.changed();
    }

    /// Shows a group with this provisioning state (`Repairing`, `Unhealthy`, `Updating`, `Stopping`, or any other), whatever
    /// it does, or with its own again. False when there is no such group, or it is planted.
    pub fn set_provisioning_state(&self, name: &str, provisioning_state: Option<&str>) -> bool {
        self.meddle(name, |group| group.provisioning_state = provisioning_state.map(str::to_owned))
    }

    /// Makes a group older: its events, its creation, its start and its end are earlier by this much. False when there is no
    /// such group, or it is planted.
    pub fn age(&self, name: &str, by: std::time::Duration) -> bool {
        let by = Duration::try_from(by).unwrap_or(Duration::MAX);
        self.meddle(name, |group| group.age(by))
    }

    /// Puts this many groups of somebody else into a resource group, each about this many bytes larger than it needs to be.
    pub fn plant_foreign(&self, resource_group: &str, count: usize, padding_bytes: usize) {
        let mut state = self.state();
        for number in 0..count {
            state.plant(foreign(&self.0.subscription_id, resource_group, number, padding_bytes));
        }
        drop(state);
        self.changed();
    }

    pub(super) fn meddle(&self, name: &str, work: impl FnOnce(&mut Group)) -> bool {
        let mut state = self.state();
        let named = |group: &&mut Group| group.name.eq_ignore_ascii_case(name) && group.phase != Phase::Planted;
        let done = state.groups.values_mut().find(named).map(work).is_some();
        drop(state);
        self.changed();
        done
    }
}

impl State {
    fn remove(&mut self, key: &Key) -> bool {
        let Some(group) = self.groups.remove(key) else { return false };
        info!(group = group.name, "somebody else deletes a container group");
        group.end_run();
        self.remember(&group);
        true
    }
}

impl Group {
    fn age(&mut self, by: Duration) {
        self.created -= by;
        match &mut self.phase {
            Phase::Running { started } => *started -= by,
            Phase::Terminated { started, finished, .. } => {
                *started -= by;
                *finished -= by;
            }
            _ => {}
        }
        for event in &mut self.events {
            for time in ["firstTimestamp", "lastTimestamp"] {
                let at = event[time].as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
                if let Some(at) = at {
                    event[time] = json!(event_time(at - by));
                }
            }
        }
    }
}

fn foreign(subscription_id: &str, resource_group: &str, number: usize, padding_bytes: usize) -> Value {
    let name = format!("foreign-{number:06}");
    json!({
        "id": format!(
            "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.ContainerInstance/\
             containerGroups/{name}"
        ),
        "name": name,
        "type": "Microsoft.ContainerInstance/containerGroups",
        "location": "westeurope",
        "tags": { "owner": "somebody-else" },
        "properties": {
            "sku": "Standard",
            "provisioningState": "Succeeded",
            "osType": "Linux",
            "restartPolicy": "Always",
            "containers": [{
                "name": "app",
                "properties": {
                    "image": "example.com/app:1",
                    "environmentVariables": [{ "name": "PADDING", "value": "x".repeat(padding_bytes) }],
                    "resources": { "requests": { "memoryInGB": 1.0, "cpu": 1.0 } },
                },
            }],
            "instanceView": { "events": [], "state": "Running" },
        },
    })
}
