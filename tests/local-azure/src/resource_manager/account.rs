//! The rest of an account in Azure Resource Manager: permissions, the capabilities of regions, and the settings of Function Apps.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::answer::Answer;
use super::service::Service;

#[derive(Debug)]
pub(super) struct Account {
    /// The permissions of the only identity, everywhere.
    permissions: Mutex<Value>,
    /// The settings of Function Apps, by name.
    app_settings: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

impl Default for Account {
    /// The identity may do everything, and there are no apps.
    fn default() -> Self {
        let everything = json!([{ "actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": [] }]);
        Self { permissions: Mutex::new(everything), app_settings: Mutex::default() }
    }
}

impl Account {
    pub(super) fn set_permissions(&self, actions: &[&str], data_actions: &[&str]) {
        let permission =
            json!({ "actions": actions, "notActions": [], "dataActions": data_actions, "notDataActions": [] });
        *self.permissions.lock().unwrap_or_else(PoisonError::into_inner) = json!([permission]);
    }

    pub(super) fn set_app_settings(&self, app: &str, settings: BTreeMap<String, String>) {
        self.app_settings.lock().unwrap_or_else(PoisonError::into_inner).insert(app.to_lowercase(), settings);
    }
}

impl Service {
    pub(super) fn subscriptions(&self) -> Answer {
        let id = &self.config.subscription_id;
        let subscription = json!({
            "id": format!("/subscriptions/{id}"), "subscriptionId": id, "displayName": "local", "state": "Enabled",
        });
        Answer::json(200, &json!({ "value": [subscription] }))
    }

    pub(super) fn permissions(&self) -> Answer {
        let permissions = self.account.permissions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Answer::json(200, &json!({ "value": permissions }))
    }

    /// As documented: sizes by operating system, kind of address and GPU.
    pub(super) fn capabilities(location: &str) -> Answer {
        let capability = |os_type: &str, gpu: &str, memory: f64, cpu: f64, gpus: f64| {
            json!({
                "resourceType": "containerGroups",
                "osType": os_type,
                "location": location,
                "ipAddressType": "Public",
                "gpu": gpu,
                "capabilities": { "maxMemoryInGB": memory, "maxCpu": cpu, "maxGpuCount": gpus },
            })
        };
        let capabilities =
            [capability("Linux", "None", 240.0, 31.0, 0.0), capability("Windows", "None", 16.0, 4.0, 0.0)];
        Answer::json(200, &json!({ "value": capabilities }))
    }

    pub(super) fn app_settings(&self, app: &str, path: &str) -> Answer {
        let settings = self.account.app_settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.get(&app.to_lowercase()).map_or_else(
            || {
                let message = format!("The Resource 'Microsoft.Web/sites/{app}' was not found.");
                Answer::error(404, "ResourceNotFound", &message)
            },
            |settings| {
                let body = json!({
                    "id": path.trim_end_matches("/list"),
                    "name": "appsettings",
                    "type": "Microsoft.Web/sites/config",
                    "properties": settings,
                });
                Answer::json(200, &body)
            },
        )
    }
}
