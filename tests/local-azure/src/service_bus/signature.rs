//! Shared access signatures.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use percent_encoding::percent_decode_str;
use sha2::Sha256;
use time::OffsetDateTime;

use super::ServiceBusConfig;

/// What a token of either kind grants.
pub(super) struct Claim {
    /// The resource of a signature; nothing for a token of Microsoft Entra, which is for all.
    pub(super) resource: Option<String>,
    pub(super) expires: OffsetDateTime,
}

const MALFORMED: &str = "MalformedToken: The token is malformed.";
const INVALID: &str = "InvalidSignature: The token has an invalid signature.";

/// Checks a token of either kind. Its text shows which: Python's SDK calls both `jwt`.
pub(super) fn check(token: &str, config: &ServiceBusConfig) -> Result<Claim, &'static str> {
    if let Some(fields) = token.strip_prefix("SharedAccessSignature ") {
        return check_signature(fields, config);
    }
    let accepted = config.token_check.as_ref().and_then(|check| check(token));
    accepted.map(|expires| Claim { resource: None, expires }).ok_or("InvalidToken: The token is not valid.")
}

/// Checks a shared access signature. What is signed is `sr` exactly as it was sent, a line feed, and `se`; the key is
/// the text of the policy's key, which is not decoded.
fn check_signature(fields: &str, config: &ServiceBusConfig) -> Result<Claim, &'static str> {
    let field = |name: &str| {
        let named = |field: &'_ str| field.split_once('=').is_some_and(|(key, _)| key == name);
        fields.split('&').find(|field| named(field)).map(|field| &field[name.len() + 1..]).ok_or(MALFORMED)
    };
    let (resource, expiry) = (field("sr")?, field("se")?);
    let signature = percent_decode_str(field("sig")?).collect::<Vec<u8>>();
    let signature = BASE64_STANDARD.decode(signature).map_err(|_| MALFORMED)?;
    let key_name = percent_decode_str(field("skn")?).decode_utf8_lossy();

    let mut mac = Hmac::<Sha256>::new_from_slice(config.key.as_bytes()).map_err(|_| INVALID)?;
    mac.update(resource.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.as_bytes());
    if key_name != config.key_name || mac.verify_slice(&signature).is_err() {
        return Err(INVALID);
    }
    let expiry = expiry.parse().map_err(|_| MALFORMED)?;
    Ok(Claim {
        resource: Some(percent_decode_str(resource).decode_utf8_lossy().into_owned()),
        expires: OffsetDateTime::from_unix_timestamp(expiry).map_err(|_| MALFORMED)?,
    })
}

/// Whether a path is another one or lies below it; everything lies below the empty one.
pub(super) fn is_within(path: &str, outer: &str) -> bool {
    match path.strip_prefix(outer) {
        Some(rest) => rest.is_empty() || outer.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// The error for a signature of another resource.
pub(super) const OTHER_RESOURCE: &str = "InvalidAudience: The token is about another resource.";
