//! Shared access signatures.
//!
//! Source: learn.microsoft.com "Service Bus access control with Shared Access Signatures". The key is used as the
//! bytes of its text, without decoding its base64.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use time::OffsetDateTime;

/// Signs a token for `resource` (such as `sb://myns.servicebus.windows.net/topic`) and everything below it, valid until
/// `expires_at`, with the policy `key_name` and its key.
pub(super) fn sign(resource: &str, key_name: &str, key: &SecretString, expires_at: OffsetDateTime) -> SecretString {
    let resource = utf8_percent_encode(resource, UNRESERVED);
    let expiry = expires_at.unix_timestamp();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).expect("a key of any length is taken");
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let signature = utf8_percent_encode(&signature, UNRESERVED);
    let key_name = utf8_percent_encode(key_name, UNRESERVED);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={key_name}").into()
}

/// When a token that was signed elsewhere expires, if it says so.
pub(super) fn expiry(token: &SecretString) -> Option<OffsetDateTime> {
    let (_, fields) = token.expose_secret().trim().split_once(' ')?;
    let (_, seconds) = fields.split('&').filter_map(|field| field.split_once('=')).find(|(name, _)| *name == "se")?;
    let seconds = percent_decode_str(seconds).decode_utf8().ok()?.parse().ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// The characters that RFC 3986 leaves unescaped.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_token_is_signed_with_the_bytes_of_the_keys_text() {
        let token =
            sign("sb://ns.servicebus.windows.net/topic", "Root+1", &"c2VjcmV0".into(), datetime!(2027-01-15 8:00 UTC));
        // The signature is what Python's hmac module makes of the same text and key.
        insta::assert_snapshot!(token.expose_secret(), @"SharedAccessSignature sr=sb%3A%2F%2Fns.servicebus.windows.net%2Ftopic&sig=JnsDGnWDKsLiHA6mdcGry87HIEil00BJtfHm24qDGJM%3D&se=1800000000&skn=Root%2B1");
    }

    #[test]
    fn the_expiry_of_a_token_is_found() {
        let expires_at = datetime!(2027-01-15 8:00 UTC);
        assert_eq!(expiry(&sign("sb://ns/topic", "name", &"key".into(), expires_at)), Some(expires_at));
        assert_eq!(expiry(&"SharedAccessSignature se=1800000000&sig=x".into()), Some(expires_at));
        for illegible in ["", "SharedAccessSignature", "SharedAccessSignature sr=x&sig=y", "SharedAccessSignature se=x"]
        {
            assert_eq!(expiry(&illegible.into()), None, "{illegible}");
        }
    }
}
