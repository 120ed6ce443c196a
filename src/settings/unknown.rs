//! Finds misspelt and retired settings, which would otherwise be ignored silently.

use super::environment::Environment;
use super::{all_settings, container};

/// An oddity of the environment that does not stop the scaler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingWarning {
    /// Most likely misspelt.
    #[error("{} is not a setting and does nothing; did you mean {suggestion}?", name.escape_debug())]
    Misspelt { name: String, suggestion: &'static str },
    /// Named like a setting.
    #[error("{} is not a setting and does nothing", name.escape_debug())]
    Unknown { name: String },
    /// Part of a template of container groups.
    #[error("{} is left out of the template of container groups: {why}", path.escape_debug())]
    LeftOut { path: String, why: &'static str },
    /// It was a setting once.
    #[error("{name} does nothing any more: {instead}")]
    Retired { name: &'static str, instead: &'static str },
}

/// Prefixes that only our settings have in a Function App. `AZURE_` and `LOG_` are not among them: of such names, only near
/// misses are reported.
const OWN_PREFIXES: [&str; 6] = ["ACI_", "ACR_", "SB_", "PROVISIONING_", "PASS_", "SKIP_"];

/// Settings of earlier versions, and what applies now.
const RETIRED: [(&str, &str); 1] =
    [("ACI_SECURE_ENV", "all container variables are secret but those that ACI_PLAIN_ENV lists")];

/// How many typing errors (a letter too many, too few, wrong, or two swapped) may separate a name without our prefixes from
/// a setting's for it to be reported. The variables of Azure's own libraries, such as `AZURE_TENANT_ID`, are all further
/// away.
const MAX_SLIPS: usize = 2;

/// How similar a name with one of our prefixes must be to a setting's, from 0 to 1, for the warning to suggest that setting.
/// At 0.6, `SB_CONNECTION_STRING` suggests `SB_CONNECTION_STR`, and `ACI_COLOUR` suggests nothing.
const MIN_SIMILARITY: f64 = 0.6;

/// A warning for each variable that looks like a setting and is not one.
pub(super) fn find(environment: &dyn Environment) -> Vec<SettingWarning> {
    let mut names = environment.names();
    names.sort();
    let retired = |name: &str| RETIRED.iter().find(|(old, _)| *old == name);
    let of = |name: String| match retired(&name) {
        // The deployment template of an earlier version set it to an empty text.
        Some((name, _)) if environment.get(name).is_none_or(|value| value.trim().is_empty()) => None,
        Some((name, instead)) => Some(SettingWarning::Retired { name, instead }),
        None => judge(name),
    };
    names.into_iter().filter_map(of).collect()
}

fn judge(name: String) -> Option<SettingWarning> {
    if all_settings().any(|setting| setting.name == name) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let slips = |known: &&str| strsim::damerau_levenshtein(known, &upper);
    let nearest = settable_names().min_by_key(slips)?;
    let ours = OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let similar = ours && strsim::normalized_damerau_levenshtein(nearest, &upper) >= MIN_SIMILARITY;
    if similar || slips(&nearest) <= MAX_SLIPS {
        return Some(SettingWarning::Misspelt { name, suggestion: nearest });
    }
    ours.then_some(SettingWarning::Unknown { name })
}

fn settable_names() -> impl Iterator<Item = &'static str> {
    all_settings().map(|setting| setting.name).filter(|name| *name != container::VARIABLES.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(name: &str) -> Option<String> {
        judge(name.to_owned()).map(|warning| warning.to_string())
    }

    #[test]
    fn a_misspelt_setting_is_reported_with_the_one_that_was_meant() {
        for (name, meant) in [
            ("ACI_MAX_INSTANCE", "ACI_MAX_INSTANCES"),
            ("SB_CONNECTION_STRING", "SB_CONNECTION_STR"),
            ("aci_image", "ACI_IMAGE"),
            ("AZURE_RESOURCEGROUP", "AZURE_RESOURCE_GROUP"),
            ("PROVISIONING_PEEK_DEPHT", "PROVISIONING_PEEK_DEPTH"),
            ("SKIP_SUBSCRIPTION", "SKIP_SUBSCRIPTIONS"),
            ("LOGLEVEL", "LOG_LEVEL"),
            ("INSTANCE_SUBSCRIPTION_ENVNAME", "INSTANCE_SUBSCRIPTION_ENV_NAME"),
        ] {
            let expected = format!("{name} is not a setting and does nothing; did you mean {meant}?");
            assert_eq!(warning(name), Some(expected));
        }
    }

    #[test]
    fn a_name_with_our_prefix_is_reported_even_if_it_is_similar_to_no_setting() {
        assert_eq!(warning("ACI_COLOUR").unwrap(), "ACI_COLOUR is not a setting and does nothing");
    }

    #[test]
    fn names_of_others_are_left_alone() {
        for name in [
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_AUTHORITY_HOST",
            "AZURE_FUNCTIONS_ENVIRONMENT",
            "AZURE_CONFIG_DIR",
            "AzureWebJobsStorage",
            "FUNCTIONS_WORKER_RUNTIME",
            "IDENTITY_ENDPOINT",
            "INSTANCE_TOPIC",
            "LOG_FILE",
            "RUST_BACKTRACE",
            "PATH",
            "HOME",
        ] {
            assert_eq!(warning(name), None, "{name}");
        }
    }
}
