//! What Azure says about the scaler itself: permissions, quotas, the region's capabilities, and the time. It only reads.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use time::Duration;

use super::arm::Arm;
use super::bad_answer::BadAnswer;
use super::topic_subscriptions::topic_path;
use crate::services::ArmError;
use crate::settings::Settings;

const AUTHORIZATION_API_VERSION: &str = "2022-04-01";
const ACI_API_VERSION: &str = "2023-05-01";

/// Queries Azure about the scaler.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    arm: Arc<Arm>,
    subscription_id: String,
    resource_group: String,
    location: String,
    /// Of the topic.
    topic: Vec<String>,
}

/// What an identity may do at a scope, by its role assignments there and above.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Permission {
    actions: Vec<String>,
    not_actions: Vec<String>,
    data_actions: Vec<String>,
    not_data_actions: Vec<String>,
    /// The condition under which it holds, if any.
    pub(crate) condition: Option<String>,
}

/// A quota, and how much of it is used.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Usage {
    pub(crate) name: String,
    pub(crate) used: f64,
    pub(crate) limit: f64,
}

/// The largest Linux container group of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Capability {
    pub(crate) max_memory_gb: f64,
    pub(crate) max_cpu: f64,
}

impl Diagnosis {
    pub(super) fn new(arm: Arc<Arm>, settings: &Settings) -> Self {
        Self {
            arm,
            subscription_id: settings.azure.subscription_id.clone(),
            resource_group: settings.azure.resource_group.clone(),
            location: settings.aci.location.clone(),
            topic: topic_path(settings),
        }
    }

    /// The path of the container groups.
    pub(crate) fn resource_group(&self) -> Vec<String> {
        ["subscriptions", &self.subscription_id, "resourceGroups", &self.resource_group].map(str::to_owned).to_vec()
    }

    pub(crate) fn topic(&self) -> Vec<String> {
        self.topic.clone()
    }

    /// What the current identity may do at a scope.
    pub(crate) async fn permissions(&self, scope: &[String]) -> Result<Vec<Permission>, ArmError> {
        let rest = ["providers", "Microsoft.Authorization", "permissions"];
        let path: Vec<_> = scope.iter().map(String::as_str).chain(rest).collect();
        let read = |item: Value| Ok(Some(serde_json::from_value(item).map_err(BadAnswer::Body)?));
        Ok(self.arm.list_of(&path, AUTHORIZATION_API_VERSION, &[], read).await?.0)
    }

    /// The quotas of the region.
    pub(crate) async fn usages(&self) -> Result<Vec<Usage>, ArmError> {
        let read = |item: Value| {
            let number = |name: &str| item[name].as_f64();
            let name = item.pointer("/name/value").and_then(Value::as_str);
            let (Some(name), Some(used), Some(limit)) = (name, number("currentValue"), number("limit")) else {
                return Ok(None);
            };
            Ok(Some(Usage { name: name.to_owned(), used, limit }))
        };
        Ok(self.arm.list_of(&self.of_location("usages"), ACI_API_VERSION, &[], read).await?.0)
    }

    /// The largest Linux group without GPUs in the region.
    pub(crate) async fn capability(&self) -> Result<Option<Capability>, ArmError> {
        let read = |item: Value| {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_ascii_lowercase();
            let number = |name: &str| item.pointer(&format!("/capabilities/{name}")).and_then(Value::as_f64);
            let is_ours = text("osType") == "linux" && ["", "none"].contains(&text("gpu").as_str());
            let sizes = number("maxMemoryInGB").zip(number("maxCpu")).filter(|_| is_ours);
            Ok(sizes.map(|(max_memory_gb, max_cpu)| Capability { max_memory_gb, max_cpu }))
        };
        let (listed, _) = self.arm.list_of(&self.of_location("capabilities"), ACI_API_VERSION, &[], read).await?;
        let larger = |one: Capability, other: Capability| Capability {
            max_memory_gb: one.max_memory_gb.max(other.max_memory_gb),
            max_cpu: one.max_cpu.max(other.max_cpu),
        };
        Ok(listed.into_iter().reduce(larger))
    }

    /// How far this machine's clock is ahead of Azure's, by the newest answer.
    pub(crate) fn clock_ahead(&self) -> Option<Duration> {
        self.arm.clock_ahead()
    }

    /// The kind of the current identity.
    pub(crate) fn identity(&self) -> &'static str {
        self.arm.credential().kind()
    }

    fn of_location<'a>(&'a self, what: &'a str) -> [&'a str; 7] {
        [
            "subscriptions",
            &self.subscription_id,
            "providers",
            "Microsoft.ContainerInstance",
            "locations",
            &self.location,
            what,
        ]
    }
}

/// Whether an action is permitted.
pub(crate) fn permits(permissions: &[Permission], action: &str) -> bool {
    permissions.iter().any(|permission| includes(&permission.actions, &permission.not_actions, action))
}

/// Whether an action on data is permitted.
pub(crate) fn permits_on_data(permissions: &[Permission], action: &str) -> bool {
    permissions.iter().any(|permission| includes(&permission.data_actions, &permission.not_data_actions, action))
}

fn includes(actions: &[String], not_actions: &[String], action: &str) -> bool {
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| is_match(pattern, action));
    matches(actions) && !matches(not_actions)
}

/// Whether a text matches a pattern, in which `*` stands for anything; case does not matter.
fn is_match(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = "Microsoft.ContainerInstance/containerGroups/write";

    #[test]
    fn an_action_is_permitted_by_a_pattern_and_taken_away_by_another() {
        let permission = |actions: &[&str], not_actions: &[&str]| Permission {
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            not_actions: not_actions.iter().map(|action| (*action).to_owned()).collect(),
            ..Permission::default()
        };
        for pattern in ["*", "*/write", "microsoft.containerinstance/*", "Microsoft.*/containerGroups/*", WRITE] {
            assert!(permits(&[permission(&[pattern], &[])], WRITE), "{pattern}");
        }
        for pattern in ["*/read", "Microsoft.ContainerInstance/containerGroups", "Microsoft.Container/*", ""] {
            assert!(!permits(&[permission(&[pattern], &[])], WRITE), "{pattern}");
        }
        assert!(!permits(&[permission(&["*"], &["*/write"])], WRITE));
        assert!(permits(&[permission(&["*"], &["*/write"]), permission(&["*/write"], &[])], WRITE), "another role");
        assert!(!permits_on_data(&[permission(&["*"], &[])], WRITE));
    }
}
