//! Claims-based security: a client puts tokens to `$cbs`, and each opens its audience for as long as it is valid.

use serde_amqp::Value;
use time::OffsetDateTime;

use super::handshake::Authentication;
use super::request::{Reply, Request};
use crate::service_bus::broker::entity::{Entity, Node, path_of};
use crate::service_bus::faults::Effects;
use crate::service_bus::sections::text;
use crate::service_bus::signature::{self, Claim, OTHER_RESOURCE, is_within};
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
                let node = Node::parse(&path);
                let topic = node.entity().map_or("", Entity::topic);
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

/// A token's audience: the entity, whether its management node or dead-letter queue is named or not.
fn token_path(name: &str) -> String {
    match Node::parse(name).entity() {
        Some(entity) => entity.path().to_lowercase(),
        None => String::new(),
    }
}

/// Checks a token for a path. Returns when it expires.
fn check(token: &str, path: &str, config: &ServiceBusConfig) -> Result<OffsetDateTime, &'static str> {
    let Claim { resource, expires } = signature::check(token, config)?;
    match resource {
        Some(resource) if !is_within(path, &token_path(path_of(&resource))) => Err(OTHER_RESOURCE),
        _ => Ok(expires),
    }
}
