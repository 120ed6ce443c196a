//! The parts of a PUT's body that the stand-in reads; the rest is kept as it was sent.
//!
//! A body that does not match these types is refused as `InvalidRequestContent`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) location: Option<String>,
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) identity: Option<Value>,
    pub(super) zones: Option<Value>,
    pub(super) properties: Option<Properties>,
}

#[derive(Deserialize)]
pub(super) struct Patch {
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Properties {
    #[serde(default)]
    pub(super) containers: Vec<Container>,
    pub(super) os_type: Option<String>,
    #[serde(rename = "restartPolicy")]
    _restart_policy: Option<RestartPolicy>,
    #[serde(default)]
    pub(super) image_registry_credentials: Vec<RegistryCredential>,
    pub(super) priority: Option<String>,
    pub(super) ip_address: Option<IpAddress>,
    pub(super) subnet_ids: Option<Vec<Value>>,
}

/// Parsed to refuse unknown policies. The stand-in runs every group once, whatever the policy says.
#[derive(Deserialize)]
enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

#[derive(Deserialize)]
pub(super) struct IpAddress {
    #[serde(default)]
    pub(super) ports: Vec<Value>,
}

#[derive(Deserialize)]
pub(super) struct RegistryCredential {
    /// Required: its absence is refused as [`InvalidGroup::Content`](super::InvalidGroup::Content).
    #[serde(rename = "server")]
    _server: String,
    pub(super) username: Option<String>,
    pub(super) identity: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) properties: ContainerProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerProperties {
    pub(super) image: Option<String>,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) environment_variables: Vec<Variable>,
    pub(super) resources: Option<Resources>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: Option<String>,
    pub(super) secure_value: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Resources {
    pub(super) requests: Option<Amounts>,
    pub(super) limits: Option<Amounts>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Amounts {
    #[serde(rename = "memoryInGB")]
    pub(super) memory_gb: Option<f64>,
    pub(super) cpu: Option<f64>,
}
