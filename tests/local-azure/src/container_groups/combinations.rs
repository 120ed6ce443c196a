//! The combinations of properties that the service refuses.
//!
//! The refusal of spot groups with inbound connectivity is documented; the codes and texts here are inferred from the pages on
//! virtual networks, volumes, init containers, confidential and spot containers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::invalid::InvalidGroup;
use super::spec::{check_name, is_assigned};

/// The kinds of volumes.
const VOLUMES: [&str; 5] = ["azureFile", "emptyDir", "gitRepo", "secret", "secretReference"];

pub(super) fn check(group: &str, identity: Option<&Value>, properties: &Value) -> Result<(), InvalidGroup> {
    network(group, properties)?;
    let secrets = secrets(group, identity, properties)?;
    let volumes = volumes(group, properties, &secrets)?;
    let mut names = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for container in elements(properties, list) {
            let name = text(container, "name").unwrap_or_default();
            if check_name(name).is_err() {
                return Err(InvalidGroup::ContainerName { container: name.to_owned(), group: group.to_owned() });
            }
            if !names.insert(name) {
                let reason = format!("The container name '{name}' is not unique in container group '{group}'.");
                return Err(refused("DuplicateContainerName", reason));
            }
            let properties = &container["properties"];
            if text(properties, "image").is_none_or(str::is_empty) {
                return Err(InvalidGroup::NoImage { container: name.to_owned(), group: group.to_owned() });
            }
            for mount in elements(properties, "volumeMounts") {
                let volume = text(mount, "name").unwrap_or_default();
                if !volumes.contains(volume) {
                    let reason = format!(
                        "The volume '{volume}' of container '{name}' is not found in container group '{group}'."
                    );
                    return Err(refused("VolumeNotFound", reason));
                }
            }
            for variable in elements(properties, "environmentVariables") {
                secret_is_known(group, variable, "secureValueReference", &secrets)?;
            }
        }
    }
    Ok(())
}

fn network(group: &str, properties: &Value) -> Result<(), InvalidGroup> {
    let has = |name: &str| !properties[name].is_null();
    let address = text(&properties["ipAddress"], "type");
    let is_spot = text(properties, "priority") == Some("Spot");
    let is_special = ["Confidential", "Dedicated"].iter().any(|sku| text(properties, "sku") == Some(sku));
    let (code, what) = match address {
        _ if is_spot && is_special => {
            ("SpotPriorityContainerGroupNotSupportedForSku", "Spot priority with another sku than 'Standard'")
        }
        Some("Public") if has("subnetIds") => {
            ("PublicIpAddressNotSupportedInVirtualNetwork", "A public IP address together with 'subnetIds'")
        }
        Some("Private") if !has("subnetIds") => {
            ("PrivateIpAddressNotSupported", "A private IP address without 'subnetIds'")
        }
        _ if has("dnsConfig") && !has("subnetIds") => ("DnsConfigNotSupported", "A 'dnsConfig' without 'subnetIds'"),
        _ => return Ok(()),
    };
    Err(refused(code, format!("{what} is not supported for container group '{group}'.")))
}

/// The names of the secrets in Key Vaults that the group's identities read.
fn secrets<'a>(
    group: &str,
    identity: Option<&Value>,
    properties: &'a Value,
) -> Result<BTreeSet<&'a str>, InvalidGroup> {
    for reference in elements(properties, "secretReferences") {
        let id = text(reference, "identity").unwrap_or_default();
        if !is_assigned(identity, id) {
            let reason = format!(
                "The identity in the 'secretReferences' of container group '{group}' not found in container group identity list."
            );
            return Err(refused("InvalidSecretReferenceIdentity", reason));
        }
    }
    let secrets: BTreeSet<_> =
        elements(properties, "secretReferences").filter_map(|reference| text(reference, "name")).collect();
    for credential in elements(properties, "imageRegistryCredentials") {
        secret_is_known(group, credential, "passwordReference", &secrets)?;
    }
    Ok(secrets)
}

fn volumes<'a>(
    group: &str,
    properties: &'a Value,
    secrets: &BTreeSet<&str>,
) -> Result<BTreeSet<&'a str>, InvalidGroup> {
    for volume in elements(properties, "volumes") {
        let name = text(volume, "name").unwrap_or_default();
        if VOLUMES.iter().filter(|kind| volume.get(**kind).is_some()).count() != 1 {
            let reason = format!("The volume '{name}' in container group '{group}' must have exactly one type.");
            return Err(refused("InvalidVolumeType", reason));
        }
        let share = &volume["azureFile"];
        secret_is_known(group, share, "storageAccountKeyReference", secrets)?;
        if !share.is_null() && share["storageAccountKey"].is_null() && share["storageAccountKeyReference"].is_null() {
            let reason = format!("The storage account key of volume '{name}' in container group '{group}' is missing.");
            return Err(refused("MissingStorageAccountKey", reason));
        }
    }
    Ok(elements(properties, "volumes").filter_map(|volume| text(volume, "name")).collect())
}

fn secret_is_known(group: &str, object: &Value, name: &str, secrets: &BTreeSet<&str>) -> Result<(), InvalidGroup> {
    match text(object, name) {
        Some(secret) if !secrets.contains(secret) => {
            let reason = format!("The secret reference '{secret}' is not found in container group '{group}'.");
            Err(refused("SecretReferenceNotFound", reason))
        }
        _ => Ok(()),
    }
}

fn refused(code: &'static str, reason: String) -> InvalidGroup {
    InvalidGroup::Combination { code, reason }
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object[name].as_str()
}

fn elements<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    object[name].as_array().into_iter().flatten()
}
