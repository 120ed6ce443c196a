//! Finds combinations that Azure refuses, before messages wait for them.
//!
//! Sources: the pages on spot containers, virtual networks, volumes, managed identities and troubleshooting below
//! <https://learn.microsoft.com/azure/container-instances/>.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Findings, Owned, elements, is_worker};
use crate::container_group::name::is_valid;
use crate::container_group::tag;

/// The most cores and GB of one group (Container Instances' limits), including the worker's.
const MAX_CPU: f64 = 31.0;
const MAX_MEMORY_GB: f64 = 240.0;

const CONTAINERS: [&str; 2] = ["properties.containers", "properties.initContainers"];

/// The kinds of volumes. Each volume has exactly one.
const VOLUMES: [&str; 5] = ["azureFile", "emptyDir", "gitRepo", "secret", "secretReference"];

pub(super) fn check(json: &Value, owned: &Owned<'_>, findings: &mut Findings) {
    network(&json["properties"], findings);
    let identities = identities(json, owned, findings);
    let secrets = secret_references(json, &identities, findings);
    registries(json, owned, &identities, &secrets, findings);
    let volumes = volumes(json, &secrets, findings);
    containers(json, &volumes, &secrets, findings);
    tags(json, findings);
}

/// What the containers beside the worker request, in cores and GB.
pub(super) fn sidecars(json: &Value) -> (f64, f64) {
    let containers = elements(json, CONTAINERS[0]).into_iter().filter(|(_, container)| !is_worker(container));
    let requests = containers.map(|(_, container)| &container["properties"]["resources"]["requests"]);
    let amount = |requests: &Value, name: &str| requests[name].as_f64().unwrap_or_default();
    requests.fold((0.0, 0.0), |(cpu, memory), requests| {
        (cpu + amount(requests, "cpu"), memory + amount(requests, "memoryInGB"))
    })
}

fn network(properties: &Value, findings: &mut Findings) {
    let has = |name: &str| !properties[name].is_null();
    if properties["priority"] == "Spot" {
        let refused = ["subnetIds", "ipAddress"].into_iter().filter(|name| has(name));
        for name in refused {
            findings
                .problem(&format!("properties.{name}"), "Azure accepts no spot group with it (properties.priority)");
        }
        if ["Confidential", "Dedicated"].iter().any(|sku| properties["sku"] == *sku) {
            findings.problem(
                "properties.sku",
                "Azure accepts spot groups only with the sku Standard (properties.priority)",
            );
        }
    }
    match properties["ipAddress"]["type"].as_str() {
        Some("Public") if has("subnetIds") => {
            findings.problem("properties.ipAddress.type", "a group in a subnet has no public address");
        }
        Some("Private") if !has("subnetIds") => {
            findings.problem("properties.ipAddress.type", "a private address needs properties.subnetIds");
        }
        _ => {}
    }
    if properties["ipAddress"]["ports"].as_array().is_some_and(Vec::is_empty) {
        findings.problem("properties.ipAddress.ports", "an address needs ports");
    }
    if has("dnsConfig") && !has("subnetIds") {
        findings.problem("properties.dnsConfig", "it needs properties.subnetIds");
    }
}

/// The user-assigned identities that the group will have, in lower case.
fn identities(json: &Value, owned: &Owned<'_>, findings: &mut Findings) -> BTreeSet<String> {
    let identity = &json["identity"];
    let assigned = identity["userAssignedIdentities"].as_object();
    let has_any = assigned.is_some_and(|assigned| !assigned.is_empty());
    let kind = identity["type"].as_str().unwrap_or(if identity.is_null() { "UserAssigned" } else { "" });
    if kind.is_empty() {
        findings.problem("identity.type", "it is missing");
    } else if has_any != kind.contains("UserAssigned") && !identity.is_null() {
        findings.problem("identity.type", "it contradicts identity.userAssignedIdentities");
    }
    if kind == "None" && !owned.identities.is_empty() {
        findings.problem("identity.type", "the settings give the group an identity");
    }
    let own = owned.identities.iter().map(|id| id.to_lowercase());
    assigned.into_iter().flatten().map(|(id, _)| id.to_lowercase()).chain(own).collect()
}

fn secret_references<'a>(json: &'a Value, identities: &BTreeSet<String>, findings: &mut Findings) -> BTreeSet<&'a str> {
    let references = elements(json, "properties.secretReferences");
    for (at, reference) in &references {
        let identity = reference["identity"].as_str().unwrap_or_default();
        if !identities.contains(&identity.to_lowercase()) {
            findings.problem(&format!("{at}.identity"), "the group does not have that identity");
        }
    }
    references.iter().filter_map(|(_, reference)| reference["name"].as_str()).collect()
}

fn registries(
    json: &Value,
    owned: &Owned<'_>,
    identities: &BTreeSet<String>,
    secrets: &BTreeSet<&str>,
    findings: &mut Findings,
) {
    for (at, credential) in elements(json, "properties.imageRegistryCredentials") {
        let text = |name: &str| credential[name].as_str();
        if owned.registry.is_some_and(|own| text("server").is_some_and(|server| server.eq_ignore_ascii_case(own))) {
            findings.problem(&format!("{at}.server"), "settings already have credentials for it (ACR_SERVER)");
        }
        match (text("username"), text("identity")) {
            (Some(_), None) if text("password").is_none() && text("passwordReference").is_none() => {
                findings.problem(&at, "the password is missing; Azure does not show it");
            }
            (Some(_), None) => check_reference(credential, "passwordReference", &at, secrets, findings),
            (None, Some(identity)) if identities.contains(&identity.to_lowercase()) => {}
            (None, Some(_)) => {
                findings.problem(&format!("{at}.identity"), "the group does not have that identity");
            }
            _ => findings.problem(&at, "expected either a username or an identity"),
        }
    }
}

fn volumes<'a>(json: &'a Value, secrets: &BTreeSet<&str>, findings: &mut Findings) -> BTreeSet<&'a str> {
    let volumes = elements(json, "properties.volumes");
    for (at, volume) in &volumes {
        if VOLUMES.iter().filter(|kind| !volume[**kind].is_null()).count() != 1 {
            findings.problem(at, format!("expected one of {}", VOLUMES.join(", ")));
        }
        let share = &volume["azureFile"];
        if share.is_object() && share["storageAccountKey"].is_null() && share["storageAccountKeyReference"].is_null() {
            findings
                .problem(&format!("{at}.azureFile"), "the storage account's key is missing; Azure does not show it");
        }
        check_reference(share, "storageAccountKeyReference", &format!("{at}.azureFile"), secrets, findings);
        if volume["secret"].as_object().is_some_and(serde_json::Map::is_empty) {
            findings.problem(&format!("{at}.secret"), "it is empty; Azure does not show its contents");
        }
        for (file, name) in volume["secretReference"].as_object().into_iter().flatten() {
            if name.as_str().is_some_and(|name| !secrets.contains(name)) {
                findings.problem(&format!("{at}.secretReference.{file}"), NO_SECRET);
            }
        }
    }
    volumes.iter().filter_map(|(_, volume)| volume["name"].as_str()).collect()
}

fn containers(json: &Value, volumes: &BTreeSet<&str>, secrets: &BTreeSet<&str>, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for (list, at, container) in
        CONTAINERS.iter().flat_map(|list| elements(json, list).into_iter().map(move |(at, item)| (*list, at, item)))
    {
        let name = container["name"].as_str().unwrap_or_default();
        if !is_valid(name) {
            findings.problem(&format!("{at}.name"), "expected 1 to 63 lower-case letters, digits and single hyphens");
        } else if !names.insert(name) {
            findings.problem(&format!("{at}.name"), "another container has that name");
        }
        let is_init = list == CONTAINERS[1];
        if is_init && is_worker(container) {
            findings.problem(&format!("{at}.name"), "the worker cannot be an init container");
        }
        let at = format!("{at}.properties");
        let properties = &container["properties"];
        if !is_worker(container) && properties["image"].as_str().is_none_or(str::is_empty) {
            findings.problem(&format!("{at}.image"), "it is missing");
        }
        if !is_worker(container) && !is_init {
            amounts(&properties["resources"]["requests"], &format!("{at}.resources.requests"), findings);
        }
        for (index, mount) in properties["volumeMounts"].as_array().into_iter().flatten().enumerate() {
            if mount["name"].as_str().is_some_and(|name| !volumes.contains(name)) {
                findings.problem(&format!("{at}.volumeMounts[{index}].name"), "there is no such volume");
            }
        }
        variables(&properties["environmentVariables"], &format!("{at}.environmentVariables"), secrets, findings);
    }
    let (cpu, memory) = sidecars(json);
    if cpu >= MAX_CPU || memory >= MAX_MEMORY_GB {
        let reason = "they leave nothing for the worker: a group has at most 31 cores and 240 GB";
        findings.problem(CONTAINERS[0], reason);
    }
}

/// Checks that a sidecar requests cores and memory in steps that Azure accepts.
fn amounts(requests: &Value, at: &str, findings: &mut Findings) {
    for (name, per_unit) in [("cpu", 100.0), ("memoryInGB", 10.0)] {
        match requests[name].as_f64() {
            None if requests[name].is_null() => findings.problem(&format!("{at}.{name}"), "it is missing"),
            Some(amount) if amount <= 0.0 || (amount * per_unit - (amount * per_unit).round()).abs() > 1e-6 => {
                let step = if name == "cpu" { "0.01" } else { "0.1" };
                findings.problem(&format!("{at}.{name}"), format!("expected a multiple of {step}"));
            }
            _ => {}
        }
    }
}

fn variables(list: &Value, at: &str, secrets: &BTreeSet<&str>, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for (index, variable) in list.as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}[{index}]");
        let name = variable["name"].as_str().unwrap_or_default();
        let is_name = (1..=63).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            findings.problem(&format!("{at}.name"), "expected 1 to 63 letters, digits and _");
        } else if !names.insert(name) {
            findings.problem(&format!("{at}.name"), "another variable has that name");
        }
        let values = ["value", "secureValue", "secureValueReference"];
        match values.iter().filter(|kind| !variable[**kind].is_null()).count() {
            0 => findings.problem(&at, "its value is missing; Azure does not show secure values"),
            1 => check_reference(variable, "secureValueReference", &at, secrets, findings),
            _ => findings.problem(&at, "expected one of value, secureValue and secureValueReference"),
        }
    }
}

const NO_SECRET: &str = "properties.secretReferences has no such name";

fn check_reference(object: &Value, name: &str, at: &str, secrets: &BTreeSet<&str>, findings: &mut Findings) {
    if object[name].as_str().is_some_and(|secret| !secrets.contains(secret)) {
        findings.problem(&format!("{at}.{name}"), NO_SECRET);
    }
}

fn tags(json: &Value, findings: &mut Findings) {
    let tags = json["tags"].as_object();
    if tags.is_some_and(|tags| tags.len() > tag::MAX_OTHERS) {
        findings.problem(
            "tags",
            format!("expected at most {}: Azure accepts 50, and the scaler needs the others", tag::MAX_OTHERS),
        );
    }
    let mut names = BTreeSet::new();
    for (name, value) in tags.into_iter().flatten() {
        if !names.insert(name.to_lowercase()) {
            findings.problem(&format!("tags.{name}"), "another tag differs from it only in case");
        }
        if let Some(reason) = tag::refusal(name, value.as_str().unwrap_or_default()) {
            findings.problem(&format!("tags.{name}"), reason);
        }
    }
}
