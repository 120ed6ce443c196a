//! Settings of the scaler, as environment variables.

use std::collections::BTreeMap;

pub type Variables = BTreeMap<String, String>;

/// The settings that are required to reach Service Bus with an identity, and no others.
pub fn minimal() -> Variables {
    variables(&[
        ("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000001"),
        ("AZURE_RESOURCE_GROUP", "rg"),
        ("ACI_IMAGE", "myregistry.azurecr.io/worker:1"),
        ("ACI_NAME_PREFIX", "worker"),
        ("ACI_LOCATION", "westeurope"),
        ("SB_NAMESPACE", "ns"),
        ("SB_TOPIC_NAME", "files"),
    ])
}

/// The same, with these on top.
pub fn with(pairs: &[(&str, &str)]) -> Variables {
    let mut environment = minimal();
    environment.extend(variables(pairs));
    environment
}

pub fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
