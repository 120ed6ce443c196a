//! What the service does not show of a container group.

use serde_json::{Value, json};

/// Secure values, registry passwords, storage keys, workspace keys and extensions' protected settings are never shown; secret
/// volumes come back empty.
pub(super) fn hide_secrets(properties: &mut Value) {
    for list in ["containers", "initContainers"] {
        for properties in elements(properties, list).filter_map(|container| container.get_mut("properties")) {
            for variable in elements(properties, "environmentVariables") {
                remove(variable, "secureValue");
            }
        }
    }
    for credential in elements(properties, "imageRegistryCredentials") {
        remove(credential, "password");
    }
    for volume in elements(properties, "volumes") {
        if volume.get("secret").is_some() {
            volume["secret"] = json!({});
        }
        if let Some(share) = volume.get_mut("azureFile") {
            remove(share, "storageAccountKey");
        }
    }
    for extension in elements(properties, "extensions").filter_map(|extension| extension.get_mut("properties")) {
        remove(extension, "protectedSettings");
    }
    if let Some(analytics) = properties.pointer_mut("/diagnostics/logAnalytics") {
        remove(analytics, "workspaceKey");
    }
}

pub(super) fn hide_instance_views(properties: &mut Value) {
    remove(properties, "instanceView");
    for list in ["containers", "initContainers"] {
        for properties in elements(properties, list).filter_map(|container| container.get_mut("properties")) {
            remove(properties, "instanceView");
        }
    }
}

fn elements<'a>(object: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

fn remove(object: &mut Value, key: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(key);
    }
}
