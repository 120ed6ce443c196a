//! Claims-based security: a client puts tokens to `$cbs`, and each opens what it is about for as long as it is valid.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use percent_encoding::percent_decode_str;
use serde_amqp::Value;
use sha2::Sha256;
use time::OffsetDateTime;

use super::handshake::Authentication;
use super::request::{Reply, Request};
use crate::service_bus::broker::entity::{Entity, Node, path_of};
use crate::service_bus::faults::Effects;
use crate::service_bus::sections::text;
use crate::service_bus::{Call, ServiceBusConfig, Shared};

/// The tokens of a connection.
#[derive(Debug)]
pub(super) struct Tokens {
    authentication: Authentication,
    /// Paths in lower case, and until when each is open.
    granted: Vec<(String, OffsetDateTime)>,
}

impl Tokens {
    pub(super) fn new(authentication: Authentication) -> Self {
        Self { authentication, granted: Vec::new() }
    }

    /// Whether an entity is open now.
    pub(super) fn allow(&self, entity: &Entity, config: &ServiceBusConfig, now: OffsetDateTime) -> bool {
        if self.authentication == Authentication::SharedKey {
            return true;
        }
        let entity_path = entity.path().to_lowercase();
        let exact = matches!(entity, Entity::Subscription(_)) && !config.topic_tokens_cover_subscriptions;
        self.granted.iter().any(|(path, until)| {
            *until > now && (if exact { *path == entity_path } else { is_within(&entity_path, path) })
        })
    }

    /// When the next token expires.
    pub(super) fn next_expiry(&self) -> Option<OffsetDateTime> {
        self.granted.iter().map(|(_, until)| *until).min()
    }

    /// Forgets expired tokens.
    pub(super) fn expire(&mut self, now: OffsetDateTime) {
        self.granted.retain(|(_, until)| *until > now);
    }

    /// Answers a put-token request.
    pub(super) fn put(&mut self, request: &Request, shared: &Shared, effects: &Effects, now: OffsetDateTime) -> Reply {
        let name = request.property("name");
        shared.calls.record(Call::PutToken { name: name.to_owned() });
        if let Some((status, condition, description)) = effects.refusal() {
            return Reply::failure(status, condition, description);
        }
        let Some(token) = text(&request.body).filter(|_| request.property("operation") == "put-token") else {
            return Reply::failure(400, "amqp:invalid-field", "A put-token request with a token is expected.");
        };
        let path = token_path(name);
        match check(token, &path, &shared.config) {
            Ok(until) if until <= now => {
                Reply::failure(401, "amqp:unauthorized-access", "ExpiredToken: The token is expired.")
            }
            Ok(until) => {
                let topic = path.split('/').next().unwrap_or_default();
                if !topic.is_empty() && !shared.broker().has_topic(topic) {
                    let description = format!("The messaging entity '{name}' could not be found.");
                    return Reply::failure(404, "amqp:not-found", description);
                }
                self.granted.retain(|(granted, _)| *granted != path);
                self.granted.push((path, until));
                // Some clients (fe2o3-amqp-cbs) accept no other status than 202.
                Reply::success(202, "Accepted", Value::Null)
            }
            Err(reason) => Reply::failure(401, "amqp:unauthorized-access", reason),
        }
    }
}

/// What a token is about: the entity, however its management node or dead-letter queue is named.
fn token_path(name: &str) -> String {
    match Node::parse(name).entity() {
        Some(entity) => entity.path().to_lowercase(),
        None => String::new(),
    }
}

/// Whether a path is another one or lies below it; everything lies below the empty one.
fn is_within(path: &str, outer: &str) -> bool {
    match path.strip_prefix(outer) {
        Some(rest) => rest.is_empty() || outer.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// Checks a token of either kind, which its text tells: Python's SDK says `jwt` of both. Returns when it expires.
fn check(token: &str, path: &str, config: &ServiceBusConfig) -> Result<OffsetDateTime, &'static str> {
    if let Some(fields) = token.strip_prefix("SharedAccessSignature ") {
        return check_signature(fields, path, config);
    }
    let accepted = config.token_check.as_ref().and_then(|check| check(token));
    accepted.ok_or("InvalidToken: The token is not valid.")
}

/// Checks a shared access signature. What is signed is `sr` exactly as it was sent, a line feed, and `se`; the key is
/// the text of the policy's key, which is not decoded.
fn check_signature(fields: &str, path: &str, config: &ServiceBusConfig) -> Result<OffsetDateTime, &'static str> {
    const MALFORMED: &str = "MalformedToken: The token is malformed.";
    const INVALID: &str = "InvalidSignature: The token has an invalid signature.";
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
    let resource = percent_decode_str(resource).decode_utf8_lossy().into_owned();
    if !is_within(path, &token_path(path_of(&resource))) {
        return Err("InvalidAudience: The token is about another resource.");
    }
    let expiry = expiry.parse().map_err(|_| MALFORMED)?;
    OffsetDateTime::from_unix_timestamp(expiry).map_err(|_| MALFORMED)
}
