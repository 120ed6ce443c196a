//! The settings of a deployed Function App, read through Azure Resource Manager with the user's own login. It changes nothing.
//!
//! Only the app can resolve a Key Vault reference, so such a setting is reported as missing unless it is set here. Secrets of
//! containers, which only a create needs, are left out.

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::{FAILED, USAGE};
use crate::azure::deployed_app;
use crate::clock::Clock;
use crate::error::chain;
use crate::settings::{AzureSettings, Environment, ProcessEnvironment, is_unresolved_reference};

/// Which app, if any.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct App {
    /// Take the settings from this deployed Function App, with your own login
    #[arg(long, value_name = "NAME", requires = "app_group")]
    from_app: Option<String>,
    /// The resource group of that app
    #[arg(long, value_name = "GROUP", requires = "from_app")]
    app_group: Option<String>,
}

/// Variables for the login, the cloud and the log: they come from this process, never from the app.
const OWN: [&str; 8] = [
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_RESOURCE_MANAGER_ENDPOINT",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "RUST_LOG",
];

impl App {
    pub(super) fn is_named(&self) -> bool {
        self.from_app.is_some()
    }

    /// The app's settings, if an app is named.
    ///
    /// # Errors
    /// The exit code; the reason is logged.
    pub(super) async fn settings(
        &self,
        own: &ProcessEnvironment,
    ) -> Result<Option<BTreeMap<String, String>>, ExitCode> {
        let (Some(name), Some(group)) = (&self.from_app, &self.app_group) else { return Ok(None) };
        let mut login: BTreeMap<_, _> =
            own.names().into_iter().filter_map(|name| Some((name.clone(), own.get(&name)?))).collect();
        let subscription = login.get("AZURE_SUBSCRIPTION_ID").filter(|id| !id.is_empty()).cloned();
        login.insert("AZURE_RESOURCE_GROUP".to_owned(), group.clone());
        // The app's own is found by searching.
        login.entry("AZURE_SUBSCRIPTION_ID".to_owned()).or_insert_with(|| uuid::Uuid::nil().to_string());
        let azure = AzureSettings::from_environment(&login).map_err(|errors| {
            for error in errors.iter() {
                tracing::error!(event = "setting_error", "{error}");
            }
            ExitCode::from(USAGE)
        })?;
        let clock = Clock::system();
        let read = deployed_app::settings(&azure, own, &clock, subscription.as_deref(), group, name).await;
        let of_app = read.map_err(|error| {
            tracing::error!(
                event = "not_started",
                "the settings of {name} in {group} could not be read: {}",
                chain(&error)
            );
            ExitCode::from(FAILED)
        })?;
        let Resolved { settings, missing, without } = resolve(of_app, own);
        if !without.is_empty() {
            let names = without.join(", ");
            tracing::warn!(
                event = "setting_warning",
                "only the app knows the values of {names}, which are not needed here"
            );
        }
        for name in &missing {
            tracing::error!(
                event = "setting_error",
                "{name} is a Key Vault reference, which only the app can resolve: set it here"
            );
        }
        if missing.is_empty() { Ok(Some(settings)) } else { Err(USAGE.into()) }
    }
}

/// The app's settings that can be used here.
#[derive(Debug, PartialEq, Eq)]
struct Resolved {
    settings: BTreeMap<String, String>,
    /// References that are needed here.
    missing: Vec<String>,
    /// References that are not needed here.
    without: Vec<String>,
}

fn resolve(of_app: BTreeMap<String, String>, own: &impl Environment) -> Resolved {
    let mut resolved = Resolved { settings: BTreeMap::new(), missing: Vec::new(), without: Vec::new() };
    let has_namespace = of_app.get("SB_NAMESPACE").is_some_and(|namespace| !namespace.is_empty());
    for (name, value) in of_app {
        if OWN.contains(&name.as_str()) {
            continue;
        }
        if !is_unresolved_reference(&value) {
            resolved.settings.insert(name, value);
        } else if let Some(value) = own.get(&name).filter(|value| !value.is_empty()) {
            resolved.settings.insert(name, value);
        } else if name.starts_with("INSTANCE_") || name == "ACR_PASSWORD" {
            // It needs some value, because other settings depend on whether it is set.
            resolved.settings.insert(name.clone(), "known-to-the-app-only".to_owned());
            resolved.without.push(name);
        } else if name == "SB_CONNECTION_STR" && has_namespace {
            // The user's own login replaces it.
            resolved.without.push(name);
        } else if name.starts_with("SB_")
            || name.starts_with("AZURE_")
            || name.starts_with("ACI_")
            || name.starts_with("ACR_")
        {
            resolved.missing.push(name);
        }
    }
    for name in OWN {
        resolved.settings.extend(own.get(name).map(|value| (name.to_owned(), value)));
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/bus)";

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_reference_is_missing_unless_it_is_set_here_or_not_needed() {
        let app = [("SB_CONNECTION_STR", REFERENCE), ("INSTANCE_KEY", REFERENCE), ("SB_TOPIC_NAME", "files")];
        let resolved = resolve(pairs(&app), &pairs(&[]));
        assert_eq!(
            (resolved.missing, resolved.without),
            (vec!["SB_CONNECTION_STR".to_owned()], vec!["INSTANCE_KEY".to_owned()])
        );
        let resolved = resolve(pairs(&app), &pairs(&[("SB_CONNECTION_STR", "Endpoint=sb://x")]));
        assert_eq!(resolved.settings["SB_CONNECTION_STR"], "Endpoint=sb://x");
        assert!(resolved.missing.is_empty());
        let with_namespace = [&app[..], &[("SB_NAMESPACE", "myns")]].concat();
        let resolved = resolve(pairs(&with_namespace), &pairs(&[]));
        assert!(resolved.missing.is_empty() && !resolved.settings.contains_key("SB_CONNECTION_STR"), "{resolved:?}");
    }

    #[test]
    fn who_asks_is_this_process_and_not_the_app() {
        let app = [("AZURE_CLIENT_ID", "the app's"), ("ACI_IMAGE", "worker:1")];
        let resolved = resolve(pairs(&app), &pairs(&[("LOG_LEVEL", "debug")]));
        assert_eq!(resolved.settings, pairs(&[("ACI_IMAGE", "worker:1"), ("LOG_LEVEL", "debug")]));
    }
}
