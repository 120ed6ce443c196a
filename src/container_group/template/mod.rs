//! What a user adds to every container group, in Azure Resource Manager's own JSON.
//!
//! * A template that is accepted has nothing that the scaler sets itself, and nothing that Azure's schema does not know.
//! * All that is wrong with one is found at once. What is found names places in it and never shows a value: they may be secrets.

mod combinations;
mod ownership;
mod schema;
mod shape;
mod variables;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Placeholders;

/// What is added to a container group. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupTemplate {
    json: Arc<Value>,
    api_version: ApiVersion,
}

/// The versions of Container Instances' interface that groups are asked for in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiVersion {
    /// What every group was asked for in before there were templates.
    #[default]
    V2023,
    /// The first with references to secrets in a Key Vault.
    V2025,
}

/// What the scaler sets, so that a template must not.
#[derive(Clone, Debug, Default)]
pub struct Owned<'a> {
    /// The region, as Azure writes it, if it is known.
    pub location: Option<&'a str>,
    /// Variables of the worker, with the settings that they come from.
    pub variables: Vec<(&'a str, String)>,
    /// The registry that `ACR_SERVER` has credentials for.
    pub registry: Option<&'a str>,
    /// Identities that the group gets from settings.
    pub identities: Vec<&'a str>,
}

/// What is wrong at a place in a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.escape_debug())]
pub struct TemplateProblem {
    pub path: String,
    pub reason: String,
}

/// What is left out of a template, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    pub path: String,
    pub why: &'static str,
}

/// What reading a template came to.
#[derive(Debug, Default)]
pub struct Findings {
    pub problems: Vec<TemplateProblem>,
    pub dropped: Vec<Dropped>,
}

impl GroupTemplate {
    /// The template that a JSON text is, given what the scaler sets itself, unless anything is wrong with it.
    pub fn check(json: Value, owned: &Owned<'_>) -> (Option<Self>, Findings) {
        let mut findings = Findings::default();
        let Value::Object(mut group) = json else {
            findings.problem("$", "expected an object");
            return (None, findings);
        };
        give_room_to_worker(&mut group);
        let api_version = shape::check(&mut group, &mut findings);
        ownership::take_out(&mut group, owned, &mut findings);
        let json = Value::Object(group);
        combinations::check(&json, owned, &mut findings);
        variables::check(&json, &mut findings);
        let template = findings.problems.is_empty().then(|| Self { json: Arc::new(json), api_version });
        (template, findings)
    }

    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        self.json == Arc::new(json!({ "properties": { "containers": [] } }))
    }

    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The same for one group, with the placeholders in the worker's variables filled.
    pub(crate) fn filled(&self, placeholders: &Placeholders) -> Value {
        variables::filled(&self.json, placeholders)
    }

    /// The lower of the versions that know all that it has.
    pub fn api_version(&self) -> ApiVersion {
        self.api_version
    }

    /// What the containers beside the worker ask for together, in cores and GB.
    pub fn sidecars(&self) -> (f64, f64) {
        combinations::sidecars(&self.json)
    }
}

impl fmt::Debug for GroupTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupTemplate").field("api_version", &self.api_version).finish_non_exhaustive()
    }
}

impl ApiVersion {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2023 => "2023-05-01",
            Self::V2025 => "2025-09-01",
        }
    }
}

impl Findings {
    fn problem(&mut self, path: &str, reason: impl Into<String>) {
        self.problems.push(TemplateProblem { path: path.to_owned(), reason: reason.into() });
    }
}

/// A template need not have the worker, nor all that a container must have: the scaler adds it.
fn give_room_to_worker(group: &mut Map<String, Value>) {
    let properties = group.entry("properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else { return };
    let containers = properties.entry("containers").or_insert_with(|| json!([]));
    for container in containers.as_array_mut().into_iter().flatten().filter(|container| is_worker(container)) {
        if let Some(container) = container.as_object_mut() {
            container.entry("properties").or_insert_with(|| json!({}));
        }
    }
}

fn is_worker(container: &Value) -> bool {
    container["name"] == super::Container::WORKER
}

/// The elements of a list at a place in a template, with their own places.
fn elements<'a>(json: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    let list = path.split('.').try_fold(json, |value, name| value.get(name)).and_then(Value::as_array);
    list.into_iter().flatten().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
}
