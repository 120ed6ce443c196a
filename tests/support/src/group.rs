//! Container groups as Azure shows them.

use local_azure::clock;
use local_azure::local::{RESOURCE_GROUP, SUBSCRIPTION_ID};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

const KIND: &str = "Microsoft.ContainerInstance/containerGroups";

/// The state of a group.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// Its containers have not been started.
    Waiting,
    /// Its containers have been running for an hour.
    Running,
    /// Its containers ran for a minute, until this long ago.
    Ended { exit_code: i32, ago: Duration },
    /// Its containers have ended, and Azure does not say when.
    EndedSometime,
    /// Its provisioning failed before its containers were started.
    NotProvisioned,
}

/// The group that a PUT with this body creates in the local Azure's resource group.
pub fn made_from(name: &str, body: &Value, state: State) -> Value {
    let mut group = body.clone();
    group["id"] =
        json!(format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/{KIND}/{name}"));
    group["name"] = json!(name);
    group["type"] = json!(KIND);
    in_state(group, state)
}

/// The same group in another state.
pub fn in_state(mut group: Value, state: State) -> Value {
    let (provisioning_state, group_state, container_state) = words(state);
    group["properties"]["provisioningState"] = json!(provisioning_state);
    group["properties"]["instanceView"] = json!({"events": [], "state": group_state});
    for container in group["properties"]["containers"].as_array_mut().expect("a group has containers") {
        container["properties"]["instanceView"] =
            json!({"restartCount": 0, "currentState": container_state, "events": []});
    }
    group
}

/// Azure's words for the provisioning, the group and its containers.
fn words(state: State) -> (&'static str, &'static str, Value) {
    match state {
        State::Waiting => ("Creating", "Pending", json!({"state": "Waiting", "detailStatus": "CreateContainerConfig"})),
        State::Running => {
            let started = text(clock::now() - Duration::hours(1));
            ("Succeeded", "Running", json!({"state": "Running", "startTime": started, "detailStatus": ""}))
        }
        State::Ended { exit_code, ago } => {
            let finished = clock::now() - ago;
            let (state, detail) = if exit_code == 0 { ("Succeeded", "Completed") } else { ("Failed", "Error") };
            let container = json!({
                "state": "Terminated",
                "startTime": text(finished - Duration::minutes(1)),
                "exitCode": exit_code,
                "finishTime": text(finished),
                "detailStatus": detail,
            });
            ("Succeeded", state, container)
        }
        State::EndedSometime => ("Succeeded", "Succeeded", json!({"state": "Terminated"})),
        State::NotProvisioned => ("Failed", "Failed", json!({"state": "Waiting", "detailStatus": ""})),
    }
}

fn text(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).expect("a second has a beginning").format(&Rfc3339).expect("it is a year of four digits")
}
