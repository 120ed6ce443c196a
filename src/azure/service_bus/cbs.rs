//! Claims-based security: the client authorizes its connection for an entity by putting a token on the node `$cbs`.
//!
//! Source: azure-docs `service-bus-amqp-protocol-guide.md`, "Claims-based-security".

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::{Timestamp, Value};
use secrecy::{ExposeSecret as _, SecretString};
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use super::connection::Connection;
use super::failure::Failure;
use super::request_response::{LinkPair, Reply};
use super::sas;
use crate::azure::credential::{AccessToken, Credential, CredentialError};
use crate::clock::Clock;
use crate::error::Cause;
use crate::settings::ServiceBusAuth;
use crate::sync::Mutex;

/// How long a token that the scaler signs is valid: an hour, as in the official SDKs. A pass takes minutes, and with much
/// less than 20 minutes a slightly slow clock would cause refusals.
const SAS_LIFETIME: Duration = Duration::HOUR;

/// The part of its life after which a token is replaced, so that none expires during a request.
const RENEW_AFTER: f64 = 0.75;

/// The scope of tokens of Microsoft Entra.
const ENTRA_SCOPE: &str = "https://servicebus.azure.net/.default";

/// Gets tokens of Microsoft Entra.
#[async_trait]
pub trait EntraTokens: fmt::Debug + Send + Sync {
    /// A token for a scope that is valid for at least some minutes.
    async fn token(&self, scope: &str) -> Result<AccessToken, CredentialError>;

    /// A new token in place of a refused one, if there is one.
    async fn another(&self, scope: &str, refused: &SecretString) -> Option<AccessToken>;
}

#[async_trait]
impl EntraTokens for Credential {
    async fn token(&self, scope: &str) -> Result<AccessToken, CredentialError> {
        self.token(scope).await
    }

    async fn another(&self, scope: &str, refused: &SecretString) -> Option<AccessToken> {
        self.another(scope, refused).await
    }
}

/// Creates tokens as the settings say.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    pub(super) auth: ServiceBusAuth,
    pub(super) credential: Arc<dyn EntraTokens>,
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
                    Err(Failure::Unauthorized(format!("the shared access signature expired at {expiry}").into()))
                }
                expires_at => Ok(Token { kind: SAS, text: text.clone(), expires_at }),
            },
            ServiceBusAuth::Entra => {
                let token = self.credential.token(ENTRA_SCOPE).await;
                Ok(token.map_err(|error| Failure::NoToken(Cause::new(error)))?.into())
            }
        }
    }

    /// A new token in place of a refused one, if that can help: another signature with the same key would be refused too, but
    /// a token of Microsoft Entra may have been revoked.
    async fn another(&self, refused: &SecretString) -> Option<Token> {
        match &self.auth {
            ServiceBusAuth::Entra => Some(self.credential.another(ENTRA_SCOPE, refused).await?.into()),
            ServiceBusAuth::SharedAccessKey { .. } | ServiceBusAuth::SharedAccessSignature(_) => None,
        }
    }

    /// Whether a token that is refused for the topic may still work for a subscription: whoever made a signature chose its
    /// resource.
    fn may_be_for_one_subscription(&self) -> bool {
        match &self.auth {
            ServiceBusAuth::SharedAccessSignature(text) => {
                sas::expiry(text).is_none_or(|expiry| expiry > self.clock.now())
            }
            ServiceBusAuth::SharedAccessKey { .. } | ServiceBusAuth::Entra => false,
        }
    }

    /// When to replace a token that expires then.
    fn renewal(&self, expires_at: OffsetDateTime) -> Instant {
        let life = std::time::Duration::try_from(expires_at - self.clock.now()).unwrap_or_default();
        Instant::now() + life.mul_f64(RENEW_AFTER)
    }
}

impl From<AccessToken> for Token {
    fn from(token: AccessToken) -> Self {
        // Not `amqp:jwt`, which the documentation names in places and the service does not accept.
        Self { kind: "jwt", text: token.secret, expires_at: Some(token.expires_at) }
    }
}

/// The links to `$cbs` of one connection.
#[derive(Debug)]
pub(super) struct Cbs {
    links: LinkPair,
    tokens: Tokens,
    /// The token that was put last.
    last: Mutex<Option<SecretString>>,
}

/// When to replace a token; never if it does not say when it expires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal(Option<Instant>);

impl Renewal {
    pub(super) fn is_due(self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
    }
}

impl Cbs {
    pub(super) async fn attach(connection: &Connection, tokens: Tokens) -> Result<Self, Failure> {
        Ok(Self { links: connection.attach("$cbs".to_owned()).await?, tokens, last: Mutex::default() })
    }

    /// Whether a token that is refused for the topic may still work for a subscription.
    pub(super) fn may_be_for_one_subscription(&self) -> bool {
        self.tokens.may_be_for_one_subscription()
    }

    /// Puts a token for a resource, such as `sb://myns.servicebus.windows.net/topic`. If the service refuses it, puts a new one,
    /// once.
    pub(super) async fn put_token(&self, resource: &str) -> Result<Renewal, Failure> {
        let token = self.tokens.token(resource).await?;
        match self.put(resource, &token).await {
            Err(Failure::Unauthorized(reason)) => match self.tokens.another(&token.text).await {
                Some(token) => self.put(resource, &token).await,
                None => Err(Failure::Unauthorized(reason)),
            },
            put => put,
        }
    }

    /// The service refused what the token should allow: the next one must be new, if there is one.
    pub(super) async fn replace_token(&self) {
        let last = self.last.lock().clone();
        if let Some(last) = last {
            self.tokens.another(&last).await;
        }
    }

    async fn put(&self, resource: &str, token: &Token) -> Result<Renewal, Failure> {
        *self.last.lock() = Some(token.text.clone());
        let mut properties = ApplicationProperties::builder()
            .insert("operation", "put-token")
            .insert("type", token.kind)
            .insert("name", resource);
        if let Some(expires_at) = token.expires_at {
            let millis = expires_at.unix_timestamp().saturating_mul(1000);
            properties = properties.insert("expiration", Timestamp::from_milliseconds(millis));
        }
        let body = Value::String(token.text.expose_secret().to_owned());
        let put = self.links.request(properties.build(), body).await.and_then(Reply::into_body);
        match put {
            Ok(_) => {
                tracing::debug!(resource, "a token is accepted");
                Ok(Renewal(token.expires_at.map(|expires_at| self.tokens.renewal(expires_at))))
            }
            // A connection without `$cbs` is soon useless, and holds no state.
            Err(Failure::LinkLost(reason)) => Err(Failure::ConnectionLost(reason)),
            Err(Failure::Misconfigured(reason)) => {
                Err(Failure::Misconfigured(Cause::new(NotOpened { resource: resource.to_owned(), reason })))
            }
            Err(failure) => Err(failure),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{resource}")]
struct NotOpened {
    resource: String,
    #[source]
    reason: Cause,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2027-01-15 8:00 UTC);

    #[derive(Debug)]
    struct NoIdentity;

    #[async_trait]
    impl EntraTokens for NoIdentity {
        async fn token(&self, scope: &str) -> Result<AccessToken, CredentialError> {
            Err(CredentialError { scope: scope.to_owned(), kind: "a test", reason: "there is no identity".into() })
        }

        async fn another(&self, _: &str, _: &SecretString) -> Option<AccessToken> {
            None
        }
    }

    fn tokens(auth: ServiceBusAuth) -> Tokens {
        Tokens { auth, credential: Arc::new(NoIdentity), clock: Clock::from_fn(|| NOW) }
    }

    #[tokio::test]
    async fn a_signed_token_is_for_what_it_is_asked_for_and_lives_an_hour() {
        let tokens = tokens(ServiceBusAuth::SharedAccessKey { name: "policy".to_owned(), key: "key".into() });
        let token = tokens.token("sb://ns/topic").await.unwrap();
        assert_eq!(token.kind, "servicebus.windows.net:sastoken");
        assert!(token.text.expose_secret().starts_with("SharedAccessSignature sr=sb%3A%2F%2Fns%2Ftopic&sig="));
        assert_eq!(token.expires_at, Some(NOW + Duration::HOUR));
    }

    #[tokio::test]
    async fn a_signature_that_has_expired_is_not_even_shown_to_the_service() {
        let text = |expiry: OffsetDateTime| {
            ServiceBusAuth::SharedAccessSignature(
                format!("SharedAccessSignature sr=x&sig=secret&se={}&skn=p", expiry.unix_timestamp()).into(),
            )
        };
        let Err(Failure::Unauthorized(reason)) = tokens(text(NOW)).token("sb://ns/topic").await else {
            panic!("it is taken");
        };
        let reason = reason.to_string();
        assert!(reason.contains("expired") && !reason.contains("secret"), "{reason}");
        let token = tokens(text(NOW + Duration::MINUTE)).token("sb://ns/topic").await.unwrap();
        assert_eq!(token.expires_at, Some(NOW + Duration::MINUTE));
    }

    #[tokio::test]
    async fn without_an_identity_there_is_no_token() {
        let Err(failure) = tokens(ServiceBusAuth::Entra).token("sb://ns/topic").await else { panic!("there is") };
        let reason = "no token for https://servicebus.azure.net/.default from a test: there is no identity";
        assert_eq!(failure, Failure::NoToken(reason.into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_replaced_after_three_quarters_of_its_life() {
        let tokens = tokens(ServiceBusAuth::Entra);
        let renewal = Renewal(Some(tokens.renewal(NOW + Duration::HOUR)));
        tokio::time::advance(std::time::Duration::from_mins(44)).await;
        assert!(!renewal.is_due());
        tokio::time::advance(std::time::Duration::from_mins(2)).await;
        assert!(renewal.is_due());
        assert!(Renewal(Some(tokens.renewal(NOW - Duration::HOUR))).is_due());
        assert!(!Renewal(None).is_due());
    }
}
