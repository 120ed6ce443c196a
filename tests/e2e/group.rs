//! A container group as Azure Resource Manager shows it, read without the scaler's own code.

use rust_decimal::Decimal;
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    json: Value,
}

impl Group {
    /// Parses a group from a list or a GET.
    pub fn new(json: Value) -> Self {
        Self { name: json["name"].as_str().unwrap_or_default().to_owned(), json }
    }

    /// The memory of all its containers, in GB.
    pub fn memory_gb(&self) -> Decimal {
        let memory = containers(&self.json).map(|container| {
            let memory = &container["properties"]["resources"]["requests"]["memoryInGB"];
            memory.to_string().parse::<Decimal>().unwrap_or_else(|_| panic!("{} has no memory", self.name))
        });
        memory.sum()
    }

    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.json["tags"][name].as_str()
    }

    /// The message that it was created for.
    pub fn message_id(&self) -> Option<&str> {
        self.tag("message_id")
    }

    /// Whether it has finished. Only a GET shows the states of containers.
    pub fn is_terminal(&self) -> bool {
        let provisioning = self.json["properties"]["provisioningState"].as_str();
        let states: Vec<_> = containers(&self.json).map(state).collect();
        let ended = !states.is_empty() && states.iter().all(|state| ["Terminated", "Failed"].contains(state));
        provisioning == Some("Failed") || ended
    }

    /// The states of its containers, for error messages.
    pub fn states(&self) -> String {
        containers(&self.json).map(state).collect::<Vec<_>>().join(", ")
    }
}

fn containers(json: &Value) -> impl Iterator<Item = &Value> {
    json["properties"]["containers"].as_array().into_iter().flatten()
}

fn state(container: &Value) -> &str {
    container["properties"]["instanceView"]["currentState"]["state"].as_str().unwrap_or("unknown")
}
