//! Settings for the parts of a container group that most users need, so that they need no template.

use serde_json::{Map, Value, json};

use super::azure;
use super::reader::{Reader, Reported};
use super::registry::{self, parse_credential};
use super::setting::{Accepts, Fallback, Setting};
use crate::container_group::tag;

pub(super) const IDENTITY: Setting = Setting {
    name: "ACI_IDENTITY",
    doc: "The user-assigned managed identity of the worker, by its resource id. Each group gets it, and the worker finds its client id in \
          `AZURE_CLIENT_ID`.",
    accepts: Accepts::Text(registry::USER_ASSIGNED),
    fallback: Fallback::Optional,
    secret: false,
};

const SUBNET_ID: Setting = Setting {
    name: "ACI_SUBNET_ID",
    doc: "The subnet of the container groups, delegated to Microsoft.ContainerInstance/containerGroups.",
    accepts: Accepts::Text(
        "a subnet's resource id (/subscriptions/.../resourceGroups/.../providers/Microsoft.Network/virtualNetworks/.../subnets/...)",
    ),
    fallback: Fallback::Optional,
    secret: false,
};

const TAGS: Setting = Setting {
    name: "ACI_TAGS",
    doc: "More tags for every container group, separated by commas, such as for cost reports.",
    accepts: Accepts::Text("a list of tags, such as team=maps,cost-centre=42, none of them the scaler's own"),
    fallback: Fallback::Optional,
    secret: false,
};

const WORKSPACE_ID: Setting = Setting {
    name: "ACI_LOG_ANALYTICS_WORKSPACE_ID",
    doc: "The Log Analytics workspace that receives the containers' output; needs `ACI_LOG_ANALYTICS_WORKSPACE_KEY`.",
    accepts: Accepts::Text("a workspace's id, such as 00000000-0000-0000-0000-000000000001"),
    fallback: Fallback::Optional,
    secret: false,
};

const WORKSPACE_KEY: Setting = Setting {
    name: "ACI_LOG_ANALYTICS_WORKSPACE_KEY",
    doc: "The workspace's key.",
    accepts: Accepts::Text("a key on one line"),
    fallback: Fallback::Optional,
    secret: true,
};

pub(super) const ALL: [&Setting; 5] = [&IDENTITY, &SUBNET_ID, &TAGS, &WORKSPACE_ID, &WORKSPACE_KEY];

/// What the settings of this file put into a template.
#[derive(Default)]
pub(super) struct Additions {
    pub(super) identity: Option<String>,
    subnet_id: Option<String>,
    tags: Vec<(String, String)>,
    /// A workspace's id and key.
    workspace: Option<(String, String)>,
}

impl Additions {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Reported> {
        let identity = reader.optional(&IDENTITY, registry::parse_identity);
        let subnet_id = reader.optional(&SUBNET_ID, parse_subnet);
        let tags = reader.optional(&TAGS, parse_tags);
        let id = reader.optional(&WORKSPACE_ID, |text| azure::parse_guid(text).map(|_| text.to_owned()));
        let key = reader.optional(&WORKSPACE_KEY, parse_credential);
        let workspace = match (id?, key?) {
            (Some(id), Some(key)) => Some((id, key)),
            (None, None) => None,
            (id, _) => {
                let unset = if id.is_none() { &WORKSPACE_ID } else { &WORKSPACE_KEY };
                let reason = format!("{} and {} go together", WORKSPACE_ID.name, WORKSPACE_KEY.name);
                return Err(reader.missing(unset, reason));
            }
        };
        Ok(Self { identity: identity?, subnet_id: subnet_id?, tags: tags?.unwrap_or_default(), workspace })
    }

    /// Adds them to a template, and reports contradictions. `of` says where the template comes from.
    pub(super) fn add_to(&self, group: &mut Map<String, Value>, reader: &mut Reader<'_>, of: &str) {
        let mut contradiction = |setting: &Setting, path: &str| {
            let Reported = reader.refused(setting, format!("{path} in {of} says otherwise"));
        };
        if let Some(id) = &self.identity
            && !add_identity(group, id)
        {
            contradiction(&IDENTITY, "identity.type");
        }
        if let Some(id) = &self.subnet_id
            && !add_if_same(group, &["properties", "subnetIds"], json!([{ "id": id }]))
        {
            contradiction(&SUBNET_ID, "properties.subnetIds");
        }
        for (name, value) in &self.tags {
            if has_other_case(group.get("tags"), name) || !add_if_same(group, &["tags", name], json!(value)) {
                contradiction(&TAGS, &format!("tags.{name}"));
            }
        }
        if let Some((id, key)) = &self.workspace {
            for (setting, name, value) in [(&WORKSPACE_ID, "workspaceId", id), (&WORKSPACE_KEY, "workspaceKey", key)] {
                let path = ["properties", "diagnostics", "logAnalytics", name];
                if !add_if_same(group, &path, json!(value)) {
                    contradiction(setting, &path.join("."));
                }
            }
        }
    }
}

/// Gives a group an identity, unless it is to have none.
fn add_identity(group: &mut Map<String, Value>, id: &str) -> bool {
    let identity = group.entry("identity").or_insert_with(|| json!({}));
    let Some(identity) = identity.as_object_mut() else { return true };
    let kind = identity.get("type").and_then(Value::as_str).unwrap_or("UserAssigned");
    let kind = match kind {
        "None" => return false,
        "SystemAssigned" => "SystemAssigned, UserAssigned",
        kind => kind,
    };
    let kind = json!(kind);
    identity.insert("type".to_owned(), kind);
    let assigned = identity.entry("userAssignedIdentities").or_insert_with(|| json!({}));
    if let Some(assigned) = assigned.as_object_mut()
        && !assigned.keys().any(|have| have.eq_ignore_ascii_case(id))
    {
        assigned.insert(id.to_owned(), json!({}));
    }
    true
}

/// Sets a value at a path, unless there is another one. What is no object on the way there is left alone: it is refused later.
fn add_if_same(mut object: &mut Map<String, Value>, path: &[&str], value: Value) -> bool {
    let Some((last, way)) = path.split_last() else { return true };
    for name in way {
        let next = object.entry(*name).or_insert(Value::Null);
        if next.is_null() {
            *next = json!({});
        }
        let Some(next) = next.as_object_mut() else { return true };
        object = next;
    }
    let have = object.entry(*last).or_insert(Value::Null);
    if have.is_null() {
        *have = value;
        return true;
    }
    *have == value
}

/// Whether there is a tag that differs from this one in case only, which for Azure is the same.
fn has_other_case(tags: Option<&Value>, name: &str) -> bool {
    let names = tags.and_then(Value::as_object).into_iter().flat_map(Map::keys);
    names.into_iter().any(|have| have != name && have.eq_ignore_ascii_case(name))
}

fn parse_subnet(text: &str) -> Option<String> {
    let parts: Vec<_> = text.split('/').collect();
    let ["", subscriptions, subscription, groups, group, providers, provider, networks, network, subnets, subnet] =
        parts[..]
    else {
        return None;
    };
    let fixed = [
        (subscriptions, "subscriptions"),
        (groups, "resourceGroups"),
        (providers, "providers"),
        (provider, "Microsoft.Network"),
        (networks, "virtualNetworks"),
        (subnets, "subnets"),
    ];
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let valid = fixed.iter().all(|(part, expected)| part.eq_ignore_ascii_case(expected))
        && azure::parse_guid(subscription).is_some()
        && azure::parse_resource_group(group).is_some()
        && is_name(network)
        && is_name(subnet);
    valid.then(|| text.to_owned())
}

/// Tags whose names and values Azure takes, and none twice: Azure compares names without regard to case.
fn parse_tags(text: &str) -> Option<Vec<(String, String)>> {
    let mut tags = Vec::<(String, String)>::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_new = !tags.iter().any(|(have, _)| have.eq_ignore_ascii_case(name));
        if !is_new || tag::is_reserved(name) || tag::refusal(name, value).is_some() {
            return None;
        }
        tags.push((name.to_owned(), value.to_owned()));
    }
    (tags.len() <= tag::MAX_OTHERS).then_some(tags)
}
