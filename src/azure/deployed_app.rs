//! The settings of a deployed Function App, as Azure Resource Manager shows them to those who may configure the app.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::arm::Arm;
use super::credential::Credential;
use crate::clock::Clock;
use crate::error::Cause;
use crate::http::Http;
use crate::services::ArmError;
use crate::settings::{AzureSettings, Environment};

const WEB_API_VERSION: &str = "2023-12-01";
const SUBSCRIPTIONS_API_VERSION: &str = "2022-12-01";

/// The app's settings, with references unresolved. Without an Azure subscription, it searches all that the login can see.
pub(crate) async fn settings(
    azure: &AzureSettings,
    environment: &impl Environment,
    clock: &Clock,
    subscription: Option<&str>,
    resource_group: &str,
    name: &str,
) -> Result<BTreeMap<String, String>, ArmError> {
    let http = Http::new();
    let credential = Credential::from_environment(|name| environment.get(name), azure, &http, clock.clone());
    let credential = credential.map_err(|error| ArmError::NoToken(Cause::new(error)))?;
    let arm = Arm::new(azure, http, Arc::new(credential), clock.clone());
    let subscriptions = if let Some(id) = subscription {
        vec![id.to_owned()]
    } else {
        let listed = arm.list(&["subscriptions"], SUBSCRIPTIONS_API_VERSION, &[]).await?;
        listed.iter().filter_map(|item| item["subscriptionId"].as_str().map(str::to_owned)).collect()
    };
    let mut not_found = None;
    for subscription in &subscriptions {
        let path = [
            "subscriptions",
            subscription,
            "resourceGroups",
            resource_group,
            "providers",
            "Microsoft.Web",
            "sites",
            name,
            "config",
            "appsettings",
            "list",
        ];
        match arm.ask(&path, WEB_API_VERSION).await {
            Ok(answer) => return Ok(read(&answer)),
            Err(error @ ArmError::NotFound(_)) => not_found = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(not_found.unwrap_or_else(|| ArmError::unavailable("the login sees no subscription of Azure")))
}

fn read(answer: &Value) -> BTreeMap<String, String> {
    let settings = answer["properties"].as_object().into_iter().flatten();
    settings.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
