//! Settings as the scaler reads them from its environment.

mod all;
mod concerns;
mod files;
mod groups;

use aci_scaler::settings::{Settings, SettingsErrors};
use test_support::environment::{self, Variables, variables};

const CANARY: &str = "canary-7f3a";
const IDENTITY: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
                        Microsoft.ManagedIdentity/userAssignedIdentities/puller";

/// All that is required to reach Service Bus with a key, and nothing else.
fn minimal() -> Variables {
    const CONNECTION: &str = "Endpoint=sb://myns.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=a2V5";
    let mut environment = environment::with(&[("SB_CONNECTION_STR", CONNECTION)]);
    environment.remove("SB_NAMESPACE");
    environment
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
