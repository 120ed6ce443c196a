//! What the unit tests of several modules need.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::macros::datetime;

use crate::settings::Settings;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-01-05 10:00:00 UTC);

/// Settings with no more than what is required, and a subscription that is skipped.
pub(crate) fn settings() -> Settings {
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
    Settings::from_environment(&environment).unwrap()
}
