//! References to secrets stored elsewhere, which a Function App replaces by the secrets before the scaler starts.
//!
//! If that fails, the value is the reference itself. Without this check every pass would send its text to Azure as a password
//! or a connection string.

/// What such references contain (App Service documentation, "Use Key Vault references" and "App Configuration references"). Only
/// whole values are resolved, never a reference within a longer value.
const MARKS: [&str; 2] = ["@microsoft.keyvault(", "@microsoft.appconfiguration("];

/// Continues the sentence "expected ...".
pub(super) const UNRESOLVED: &str = "not a Key Vault reference that the Function App has not resolved (its environment \
                                     variables in the portal say why)";

pub fn is_unresolved(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    MARKS.iter().any(|mark| value.contains(mark))
}
