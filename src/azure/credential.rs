//! Tokens of Microsoft Entra.

mod sources;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_identity::DeveloperToolsCredential;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use tokio::time::Instant;

use self::sources::{managed_identity, options, service_principal, workload_identity};
use crate::clock::Clock;
use crate::error::Cause;
use crate::http::Http;
use crate::services::ArmError;
use crate::settings::AzureSettings;
use crate::sync::Mutex;

/// A token is replaced this long before it expires, as in `azure_identity`: longer than any request takes.
const REFRESH_BEFORE_EXPIRY: Duration = Duration::from_mins(5);

/// A token that expires sooner than this is not used at all: a request with it may arrive too late.
const LEAST_VALIDITY: Duration = Duration::from_secs(30);

/// How long to wait for a new token while the old one is valid: requests wait, and can go on with the old one.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before the next request for a new token, after one failed, returned a token that is about to expire too,
/// or returned one that a service refuses as well: five times before it expires.
const REFRESH_PAUSE: Duration = Duration::from_mins(1);

/// Managed identity tokens live for a day and service principals' for an hour, but getting one needs the network. A request
/// that takes longer than this is dropped.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Gets tokens of Microsoft Entra for the scaler's identity, and keeps them until shortly before they expire.
pub struct Credential {
    make_source: MakeSource,
    kind: &'static str,
    clock: Clock,
    kept: Mutex<Kept>,
}

/// Creates a new source of tokens, without cached ones.
pub type MakeSource = Box<dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync>;

struct Kept {
    source: Arc<dyn TokenCredential>,
    /// By scope. Each is locked while its token is fetched, so that concurrent requests fetch one token.
    tokens: HashMap<String, Arc<tokio::sync::Mutex<Slot>>>,
}

/// The cache for one scope.
#[derive(Default)]
struct Slot {
    held: Option<Held>,
    /// When a new token was last requested because a service refused this one.
    replaced_at: Option<Instant>,
}

/// A token, and when to request another.
struct Held {
    token: AccessToken,
    refresh_at: OffsetDateTime,
}

#[derive(Clone, Debug)]
pub struct AccessToken {
    pub secret: SecretString,
    /// When it expires.
    pub expires_at: OffsetDateTime,
}

/// The identity could not get a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no token for {scope} from {kind}: {reason}")]
pub struct CredentialError {
    pub scope: String,
    pub kind: &'static str,
    #[source]
    pub reason: Cause,
}

impl Credential {
    /// Chooses the kind of credential by the environment: a Function App's managed identity, else a service principal with a
    /// secret, else workload identity, else developer tools (`az`, `azd`). The identity and its cloud are settings.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
        settings: &AzureSettings,
        http: &Http,
        clock: Clock,
    ) -> Result<Self, CredentialError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let client_id = settings.client_id.clone();
        let options = options(http, settings.cloud);
        let (kind, make_source): (_, MakeSource) = if set("IDENTITY_ENDPOINT").is_some() {
            ("the managed identity", Box::new(move || managed_identity(client_id.clone(), options.clone())))
        } else if let (Some(tenant), Some(client), Some(secret)) =
            (set("AZURE_TENANT_ID"), client_id.clone(), set("AZURE_CLIENT_SECRET").map(SecretString::from))
        {
            let make = move || service_principal(&tenant, client.clone(), &secret, options.clone());
            ("the service principal", Box::new(make))
        } else if let Some(token_file) = set("AZURE_FEDERATED_TOKEN_FILE") {
            let tenant = set("AZURE_TENANT_ID");
            let make =
                move || workload_identity(tenant.clone(), client_id.clone(), token_file.clone(), options.clone());
            ("workload identity", Box::new(make))
        } else {
            ("developer tools", Box::new(|| Ok(DeveloperToolsCredential::new(None)?)))
        };
        Self::new(kind, make_source, clock)
    }

    /// The kind of identity.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// A credential with this source of tokens.
    pub fn new(kind: &'static str, make_source: MakeSource, clock: Clock) -> Result<Self, CredentialError> {
        let failed = |error: azure_core::Error| CredentialError {
            scope: "any scope".to_owned(),
            kind,
            reason: Cause::new(error),
        };
        let kept = Kept { source: make_source().map_err(failed)?, tokens: HashMap::new() };
        Ok(Self { make_source, kind, clock, kept: Mutex::new(kept) })
    }

    /// A token for a scope such as `https://servicebus.azure.net/.default`.
    pub async fn token(&self, scope: &str) -> Result<AccessToken, CredentialError> {
        let (source, slot) = self.slot(scope);
        let held = &mut slot.lock().await.held;
        let now = self.clock.now();
        if let Some(held) = held.as_ref().filter(|held| now < held.refresh_at) {
            return Ok(held.token.clone());
        }
        held.take_if(|held| held.token.expires_at <= now + LEAST_VALIDITY);
        let timeout = if held.is_some() { REFRESH_TIMEOUT } else { TOKEN_TIMEOUT };
        match (self.fetch(source.as_ref(), scope, timeout).await, held.as_mut()) {
            (Ok(token), _) => {
                *held = Some(Held::new(token.clone(), self.clock.now()));
                Ok(token)
            }
            (Err(error), Some(held)) => {
                tracing::warn!(event = "token_not_renewed", %error, "the old token is still valid and stays in use");
                held.refresh_at = (self.clock.now() + REFRESH_PAUSE).min(held.token.expires_at - LEAST_VALIDITY);
                Ok(held.token.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    /// A new token for a scope in place of one that a service refused, if there is one. There is at most one request within
    /// [`REFRESH_PAUSE`], because the service may refuse the identity and not the token.
    pub async fn another(&self, scope: &str, refused: &SecretString) -> Option<AccessToken> {
        let (_, slot) = self.slot(scope);
        let mut slot = slot.lock().await;
        let is_other = |token: &AccessToken| token.secret.expose_secret() != refused.expose_secret();
        if let Some(held) = slot.held.as_ref().filter(|held| is_other(&held.token)) {
            return Some(held.token.clone());
        }
        if slot.replaced_at.is_some_and(|at| at.elapsed() < REFRESH_PAUSE) {
            return None;
        }
        slot.replaced_at = Some(Instant::now());
        // The source caches tokens too, so it must be a new one.
        let source = (self.make_source)()
            .map_err(|error| tracing::warn!(event = "credential_not_rebuilt", %error, "{} could not be set up again", self.kind))
            .ok()?;
        self.kept.lock().source = source.clone();
        match self.fetch(source.as_ref(), scope, REFRESH_TIMEOUT).await {
            Ok(token) => {
                slot.held = Some(Held::new(token.clone(), self.clock.now()));
                is_other(&token).then_some(token)
            }
            Err(error) => {
                tracing::warn!(event = "token_refused", %error, "a token was refused, and there is no other");
                None
            }
        }
    }

    fn slot(&self, scope: &str) -> (Arc<dyn TokenCredential>, Arc<tokio::sync::Mutex<Slot>>) {
        let mut kept = self.kept.lock();
        (kept.source.clone(), kept.tokens.entry(scope.to_owned()).or_default().clone())
    }

    async fn fetch(
        &self,
        source: &dyn TokenCredential,
        scope: &str,
        timeout: Duration,
    ) -> Result<AccessToken, CredentialError> {
        let failed = |reason: Cause| CredentialError { scope: scope.to_owned(), kind: self.kind, reason };
        let fetched = tokio::time::timeout(timeout, source.get_token(&[scope], None))
            .await
            .map_err(|_| failed(format!("no answer within {} s", timeout.as_secs()).into()))?
            .map_err(|error| failed(Cause::new(error)))?;
        Ok(AccessToken { secret: fetched.token.secret().into(), expires_at: fetched.expires_on })
    }
}

impl Held {
    fn new(token: AccessToken, now: OffsetDateTime) -> Self {
        Self { refresh_at: refresh_at(token.expires_at, now), token }
    }
}

/// When to replace a token that was just fetched.
///
/// Even one that is about to expire is used for a while, because another request at once gives no better one: identity
/// endpoints cache tokens, and a clock that is ahead makes every token look old. If the service refuses it, use
/// [`Credential::another`].
fn refresh_at(expires_at: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
    let last_moment = expires_at - LEAST_VALIDITY;
    let pause_ends = now + REFRESH_PAUSE;
    let soonest = if now < last_moment { pause_ends.min(last_moment) } else { pause_ends };
    soonest.max(expires_at - REFRESH_BEFORE_EXPIRY)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// For `azure_mgmt_containerinstance`, which is built on the older generation of `azure_core`.
#[async_trait]
impl azure_core_legacy::auth::TokenCredential for Credential {
    async fn get_token(&self, scopes: &[&str]) -> azure_core_legacy::Result<azure_core_legacy::auth::AccessToken> {
        let token = self.token(&scopes.join(" ")).await.map_err(ArmError::from)?;
        Ok(azure_core_legacy::auth::AccessToken::new(token.secret.expose_secret().to_owned(), token.expires_at))
    }

    /// Never called: [`Credential::another`] replaces refused tokens.
    async fn clear_cache(&self) -> azure_core_legacy::Result<()> {
        Ok(())
    }
}

impl From<CredentialError> for ArmError {
    fn from(error: CredentialError) -> Self {
        Self::NoToken(Cause::new(error))
    }
}

impl From<ArmError> for azure_core_legacy::Error {
    fn from(error: ArmError) -> Self {
        Self::new(azure_core_legacy::error::ErrorKind::Other, error)
    }
}
