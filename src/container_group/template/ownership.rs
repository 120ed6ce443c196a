//! What the scaler sets itself. In a template it is left out if that changes nothing, and is a problem otherwise.

use serde_json::{Map, Value};

use super::{Dropped, Findings, Owned, is_worker};
use crate::container_group::tag;

/// Removes what the scaler sets from a template, and notes what contradicts it.
pub(super) fn take_out(group: &mut Map<String, Value>, owned: &Owned<'_>, findings: &mut Findings) {
    if let Some(location) = group.remove("location")
        && let (Some(location), Some(own)) = (location.as_str(), owned.location)
        && location.replace(' ', "").to_lowercase() != own
    {
        findings.problem("location", "ACI_LOCATION sets another region");
    }
    if let Some(Value::Object(tags)) = group.get_mut("tags") {
        tags.retain(|name, _| {
            if tag::is_reserved(name) {
                findings.dropped.push(Dropped { path: format!("tags.{name}"), why: "the scaler sets it" });
            }
            !tag::is_reserved(name)
        });
    }
    let Some(Value::Object(properties)) = group.get_mut("properties") else { return };
    for (name, only) in [("osType", "Linux"), ("restartPolicy", "Never")] {
        if properties.remove(name).is_some_and(|value| value != only) {
            findings.problem(&format!("properties.{name}"), format!("the scaler sets it to {only}"));
        }
    }
    for name in ["standbyPoolProfile", "containerGroupProfile"] {
        if properties.contains_key(name) {
            let reason = "a group from a profile cannot have its own size and variables";
            findings.problem(&format!("properties.{name}"), reason);
        }
    }
    let containers = properties.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten();
    for (index, worker) in containers.enumerate().filter(|(_, container)| is_worker(container)) {
        if let Some(Value::Object(worker)) = worker.get_mut("properties") {
            let mut worker = Worker { properties: worker, at: format!("properties.containers[{index}].properties") };
            worker.take_out(owned, findings);
        }
    }
}

struct Worker<'a> {
    properties: &'a mut Map<String, Value>,
    at: String,
}

impl Worker<'_> {
    fn take_out(&mut self, owned: &Owned<'_>, findings: &mut Findings) {
        let at = &self.at;
        if self.properties.remove("image").is_some() {
            findings.dropped.push(Dropped { path: format!("{at}.image"), why: "ACI_IMAGE sets it" });
        }
        if let Some(Value::Object(resources)) = self.properties.get_mut("resources") {
            for name in ["cpu", "memoryInGB"] {
                let amounts = |which: &str| resources.get(which)?.get(name);
                if amounts("limits").is_some() {
                    let reason = "the message decides the worker's size, which a limit would cut";
                    findings.problem(&format!("{at}.resources.limits.{name}"), reason);
                }
                if let Some(Value::Object(requests)) = resources.get_mut("requests")
                    && requests.remove(name).is_some()
                {
                    let path = format!("{at}.resources.requests.{name}");
                    findings.dropped.push(Dropped { path, why: "the file's size sets it" });
                }
            }
        }
        let variables = self.properties.get("environmentVariables").and_then(Value::as_array).into_iter().flatten();
        for (index, variable) in variables.enumerate() {
            let name = variable["name"].as_str().unwrap_or_default();
            if let Some((_, setting)) = owned.variables.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)) {
                let path = format!("{at}.environmentVariables[{index}].name");
                findings.problem(&path, format!("{setting} already sets that variable"));
            }
        }
    }
}
