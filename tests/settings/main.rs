//! Settings as the scaler reads them from its environment.

mod all;
mod concerns;
mod files;

use std::collections::BTreeMap;

use aci_scaler::settings::{Settings, SettingsErrors};

type Variables = BTreeMap<String, String>;

const CANARY: &str = "canary-7f3a";
const IDENTITY: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
                        Microsoft.ManagedIdentity/userAssignedIdentities/puller";

/// All that is required and nothing else.
fn minimal() -> Variables {
    variables(&[
        ("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000001"),
        ("AZURE_RESOURCE_GROUP", "rg"),
        ("ACI_IMAGE", "myregistry.azurecr.io/worker:1"),
        ("ACI_NAME_PREFIX", "worker"),
        ("ACI_LOCATION", "westeurope"),
        ("SB_CONNECTION_STR", "Endpoint=sb://myns.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=a2V5"),
        ("SB_TOPIC_NAME", "files"),
    ])
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is required, with these variables on top.
fn load(pairs: &[(&str, &str)]) -> Result<Settings, SettingsErrors> {
    let mut environment = minimal();
    environment.extend(variables(pairs));
    Settings::from_environment(&environment)
}

/// The errors that these variables cause.
fn errors(pairs: &[(&str, &str)]) -> String {
    load(pairs).expect_err("these settings are wrong").to_string()
}
