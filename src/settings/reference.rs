//! References to secrets elsewhere, which a Function App puts the secrets in the place of before the scaler starts.
//!
//! Where that fails, the app gets the reference itself as the value. To go on with it would be to send its text to Azure as a
//! password or a connection string, at every pass.

/// What such references contain (App Service documentation, "Use Key Vault references" and "App Configuration references"). Only a
/// whole value is ever resolved, so one within a longer value never is.
const MARKS: [&str; 2] = ["@microsoft.keyvault(", "@microsoft.appconfiguration("];

/// Reads on from what is expected.
pub(super) const UNRESOLVED: &str = "not a Key Vault reference that the Function App has not resolved (its environment \
                                     variables in the portal say why)";

pub fn is_unresolved(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    MARKS.iter().any(|mark| value.contains(mark))
}
