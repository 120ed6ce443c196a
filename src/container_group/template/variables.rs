//! The variables that a template gives to the worker, in which placeholders are filled. Those of other containers are as they are.

use serde_json::Value;

use super::{Findings, elements, is_worker};
use crate::container_group::Placeholders;
use crate::container_group::placeholder;

/// What holds the value of a variable.
const VALUES: [&str; 2] = ["value", "secureValue"];

/// Notes placeholders that there are not.
pub(super) fn check(json: &Value, findings: &mut Findings) {
    for (at, container) in
        elements(json, "properties.containers").into_iter().filter(|(_, container)| is_worker(container))
    {
        for (below, variable) in elements(container, "properties.environmentVariables") {
            for name in VALUES {
                if let Some(Err(error)) = variable[name].as_str().map(placeholder::check) {
                    findings.problem(&format!("{at}.{below}.{name}"), error.to_string());
                }
            }
        }
    }
}

/// The template as it is for one group.
pub(super) fn filled(json: &Value, placeholders: &Placeholders) -> Value {
    let mut json = json.clone();
    let containers = json.pointer_mut("/properties/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten().filter(|container| is_worker(container)) {
        let variables = container.pointer_mut("/properties/environmentVariables").and_then(Value::as_array_mut);
        for variable in variables.into_iter().flatten() {
            for name in VALUES {
                if let Some(Value::String(value)) = variable.get_mut(name) {
                    *value = placeholders.fill(value).into_owned();
                }
            }
        }
    }
    json
}
