//! The settings that simulations begin with.

use std::collections::BTreeMap;

use aci_scaler::settings::Settings;

/// Settings with no more than what is required, and a subscription that is skipped.
pub fn settings() -> Settings {
    let environment: BTreeMap<String, String> = [
        ("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000001"),
        ("AZURE_RESOURCE_GROUP", "workers"),
        ("ACI_IMAGE", "acr.azurecr.io/worker:1"),
        ("ACI_NAME_PREFIX", "worker"),
        ("ACI_LOCATION", "westeurope"),
        ("SB_NAMESPACE", "ns"),
        ("SB_TOPIC_NAME", "files"),
        ("SKIP_SUBSCRIPTIONS", "skipped"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    Settings::from_environment(&environment).expect("the settings are accepted")
}
