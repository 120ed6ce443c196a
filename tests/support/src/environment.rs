//! Settings of the scaler, as its environment has them.

use std::collections::BTreeMap;

pub type Variables = BTreeMap<String, String>;

/// All that is required to reach Service Bus by an identity, and nothing else.
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
