//! Claims-based security: a connection is opened to an entity by putting a token for it on the node `$cbs`.
//!
//! Source: azure-docs `service-bus-amqp-protocol-guide.md`, "Claims-based-security".

use std::sync::Arc;

use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::{Timestamp, Value};
use secrecy::{ExposeSecret as _, SecretString};
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use super::connection::Connection;
use super::failure::Failure;
use super::request_response::LinkPair;
use super::sas;
use crate::azure::credential::Credential;
use crate::clock::Clock;
use crate::settings::ServiceBusAuth;

/// How long a token that the scaler signs is good for: the official SDKs' hour. A pass takes minutes, and much less
/// than 20 minutes would turn a clock that is a little slow into refusals.
const SAS_LIFETIME: Duration = Duration::HOUR;

/// The part of its life after which a token is put anew, so that none expires under a request.
const RENEW_AFTER: f64 = 0.75;

/// What Microsoft Entra is asked for.
const ENTRA_SCOPE: &str = "https://servicebus.azure.net/.default";

/// Makes tokens as the settings say.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    pub(super) auth: ServiceBusAuth,
    pub(super) credential: Arc<Credential>,
    pub(super) clock: Clock,
}

struct Token {
    kind: &'static str,
    text: SecretString,
    expires_at: Option<OffsetDateTime>,
}

impl Tokens {
    async fn token(&self, resource: &str) -> Result<Token, Failure> {
        const SAS: &str = "servicebus.windows.net:sastoken";
        match &self.auth {
            ServiceBusAuth::SharedAccessKey { name, key } => {
                let expires_at = self.clock.now() + SAS_LIFETIME;
                Ok(Token { kind: SAS, text: sas::sign(resource, name, key, expires_at), expires_at: Some(expires_at) })
            }
            ServiceBusAuth::SharedAccessSignature(text) => match sas::expiry(text) {
                Some(expiry) if expiry <= self.clock.now() => {
                    Err(Failure::Unauthorized(format!("the shared access signature expired at {expiry}")))
                }
                expires_at => Ok(Token { kind: SAS, text: text.clone(), expires_at }),
            },
            ServiceBusAuth::Entra => {
                let token = self.credential.token(ENTRA_SCOPE).await;
                let token = token.map_err(|error| Failure::Unauthorized(error.to_string()))?;
                // Not `amqp:jwt`, which the documentation names in places: the service does not know it.
                Ok(Token { kind: "jwt", text: token.secret, expires_at: Some(token.expires_at) })
            }
        }
    }

    /// When to put a token anew that is good until then.
    fn renewal(&self, expires_at: OffsetDateTime) -> Instant {
        let life = std::time::Duration::try_from(expires_at - self.clock.now()).unwrap_or_default();
        Instant::now() + life.mul_f64(RENEW_AFTER)
    }
}

/// The links to `$cbs` of one connection.
#[derive(Debug)]
pub(super) struct Cbs {
    links: LinkPair,
    tokens: Tokens,
}

/// When a token has to be put anew; never, if it does not say when it expires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal(Option<Instant>);

impl Renewal {
    pub(super) fn is_due(self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
    }
}

impl Cbs {
    pub(super) async fn attach(connection: &Connection, tokens: Tokens) -> Result<Self, Failure> {
        Ok(Self { links: connection.attach("$cbs".to_owned()).await?, tokens })
    }

    /// Puts a token for a resource, such as `sb://myns.servicebus.windows.net/topic`.
    pub(super) async fn put_token(&self, resource: &str) -> Result<Renewal, Failure> {
        let token = self.tokens.token(resource).await?;
        let mut properties = ApplicationProperties::builder()
            .insert("operation", "put-token")
            .insert("type", token.kind)
            .insert("name", resource);
        if let Some(expires_at) = token.expires_at {
            let millis = expires_at.unix_timestamp().saturating_mul(1000);
            properties = properties.insert("expiration", Timestamp::from_milliseconds(millis));
        }
        let body = Value::String(token.text.expose_secret().to_owned());
        let put =
            self.links.request(properties.build(), body).await.and_then(super::request_response::Reply::into_body);
        match put {
            Ok(_) => {
                tracing::debug!(resource, "a token is accepted");
                Ok(Renewal(token.expires_at.map(|expires_at| self.tokens.renewal(expires_at))))
            }
            // A connection whose `$cbs` is gone cannot be used for long; what is on it keeps no state.
            Err(Failure::LinkLost(reason)) => Err(Failure::ConnectionLost(reason)),
            Err(Failure::Misconfigured(reason)) => Err(Failure::Misconfigured(format!("{resource}: {reason}"))),
            Err(failure) => Err(failure),
        }
    }
}
