//! Tokens of the identity over HTTP.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::{Refusal, parse};
use crate::local::LocalAzure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    token_lifetime_seconds: Option<u64>,
    reuses_tokens: Option<bool>,
}

/// Changes which tokens are issued from now on.
pub(super) async fn change(State(azure): State<LocalAzure>, body: Bytes) -> Result<StatusCode, Refusal> {
    let Change { token_lifetime_seconds, reuses_tokens } = parse(&body)?;
    let identity = azure.resource_manager.identity();
    if let Some(seconds) = token_lifetime_seconds {
        identity.set_token_lifetime(Duration::from_secs(seconds));
    }
    if let Some(is_reused) = reuses_tokens {
        identity.set_token_reuse(is_reused);
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    audience: Option<String>,
}

/// Revokes the tokens that were issued so far.
pub(super) async fn revoke(State(azure): State<LocalAzure>, body: Bytes) -> Result<StatusCode, Refusal> {
    let Revocation { audience } = parse(&body)?;
    azure.resource_manager.identity().revoke(audience.as_deref());
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the tokens that were issued so far expire now.
pub(super) async fn expire(State(azure): State<LocalAzure>) -> StatusCode {
    azure.resource_manager.identity().expire_all();
    StatusCode::NO_CONTENT
}
