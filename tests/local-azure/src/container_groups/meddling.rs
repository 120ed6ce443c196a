//! What happens to container groups without their service being asked: others delete them, time passes, the platform
//! shows them in states of its own, and the resource group fills with what is not ours.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use tracing::info;

use super::ContainerGroups;
use super::group::{Group, Phase, event_time};

impl ContainerGroups {
    /// Deletes a group as somebody else would, whatever it does. False when there is no such group.
    pub fn remove(&self, name: &str) -> bool {
        let mut state = self.state();
        let key =
            state.groups.iter().find(|(_, group)| group.name.eq_ignore_ascii_case(name)).map(|(key, _)| key.clone());
        let removed = key.and_then(|key| state.groups.remove(&key));
        if let Some(group) = &removed {
            info!(group = group.name, "somebody else deletes a container group");
            group.end_run();
            state.remember(group);
        }
        drop(state);
        self.changed();
        removed.is_some()
    }

    /// Shows a group with this provisioning state (`Repairing`, `Unhealthy`, `Updating`, `Stopping`, or any other), whatever
    /// it does, or with its own again. False when there is no such group, or it is planted.
    pub fn set_provisioning_state(&self, name: &str, provisioning_state: Option<&str>) -> bool {
        self.meddle(name, |group| group.provisioning_state = provisioning_state.map(str::to_owned))
    }

    /// Makes a group older: its events, its creation, its start and its end are so much earlier. False when there is no
    /// such group, or it is planted.
    pub fn age(&self, name: &str, by: std::time::Duration) -> bool {
        let by = Duration::try_from(by).unwrap_or(Duration::MAX);
        self.meddle(name, |group| group.age(by))
    }

    /// Puts so many groups of somebody else's into a resource group, each of which takes about so many bytes more than
    /// it must.
    pub fn plant_foreign(&self, resource_group: &str, count: usize, padding_bytes: usize) {
        let mut state = self.state();
        for number in 0..count {
            state.plant(foreign(&self.0.subscription_id, resource_group, number, padding_bytes));
        }
        drop(state);
        self.changed();
    }

    fn meddle(&self, name: &str, work: impl FnOnce(&mut Group)) -> bool {
        let mut state = self.state();
        let named = |group: &&mut Group| group.name.eq_ignore_ascii_case(name) && group.phase != Phase::Planted;
        let done = state.groups.values_mut().find(named).map(work).is_some();
        drop(state);
        self.changed();
        done
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
