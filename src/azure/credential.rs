//! Tokens of Microsoft Entra.

use secrecy::SecretString;
use time::OffsetDateTime;

/// Gets tokens of Microsoft Entra for the scaler's identity, and keeps them until shortly before they expire.
#[derive(Debug)]
pub struct Credential {}

/// A bearer token.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// What goes into the request.
    pub secret: SecretString,
    /// When it stops being accepted.
    pub expires_at: OffsetDateTime,
}

/// The identity could not get a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no token for {scope}: {reason}")]
pub struct CredentialError {
    /// What the token was for.
    pub scope: String,
    /// What went wrong.
    pub reason: String,
}

impl Credential {
    /// A token for a scope such as `https://servicebus.azure.net/.default`.
    pub async fn token(&self, scope: &str) -> Result<AccessToken, CredentialError> {
        Err(CredentialError { scope: scope.to_owned(), reason: "not made yet".to_owned() })
    }
}
