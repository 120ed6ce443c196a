//! Tokens of Microsoft Entra.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions, DeveloperToolsCredential,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::error::Cause;
use crate::http::Http;
use crate::services::ArmError;
use crate::settings::{AzureSettings, Cloud};
use crate::sync::Mutex;

/// A token is replaced this long before it expires, as `azure_identity` does it: longer than any request takes.
const REFRESH_BEFORE_EXPIRY: Duration = Duration::from_mins(5);

/// A token that expires sooner than this is none, even if no other can be had: a request with it may come too late.
const LEAST_VALIDITY: Duration = Duration::from_secs(30);

/// How long to wait for another token while there still is one: requests are waiting, and can go on with that.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to go on with a token before another is asked for again in vain: five times before it expires.
const REFRESH_PAUSE: Duration = Duration::from_mins(1);

/// Managed identity tokens live for a day and service principals' for an hour, but getting one needs the network: a
/// try that has not come to an end by then is given up.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a request for a token is sent again, within some two seconds, if the answer or the lack of one says that
/// it may yet succeed. `azure_core`'s own choice is eight times within a minute: [`TOKEN_TIMEOUT`] would end that first,
/// and what is wrong with the identity would never be reported.
const TOKEN_RETRIES: u32 = 2;

/// Gets tokens of Microsoft Entra for the scaler's identity, and keeps them until shortly before they expire.
pub struct Credential {
    make_source: MakeSource,
    kind: &'static str,
    clock: Clock,
    kept: Mutex<Kept>,
}

type MakeSource = Box<dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync>;

struct Kept {
    source: Arc<dyn TokenCredential>,
    /// By scope. Each is locked while it is fetched, so that many requests at once fetch one token.
    tokens: HashMap<String, Arc<tokio::sync::Mutex<Option<Held>>>>,
}

/// A token, and when another is to be asked for.
struct Held {
    token: AccessToken,
    refresh_at: OffsetDateTime,
}

#[derive(Clone, Debug)]
pub struct AccessToken {
    pub secret: SecretString,
    /// When it stops being accepted.
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
    /// Chooses the kind of credential by what the environment offers: the managed identity of a Function App, else
    /// a service principal with a secret, else workload identity, else the developer's own tools (`az`, `azd`). Who it is
    /// and which cloud knows it are settings.
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

    fn new(kind: &'static str, make_source: MakeSource, clock: Clock) -> Result<Self, CredentialError> {
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
        let (source, held) = {
            let mut kept = self.kept.lock();
            (kept.source.clone(), kept.tokens.entry(scope.to_owned()).or_default().clone())
        };
        let mut held = held.lock().await;
        held.take_if(|held| held.token.expires_at <= self.clock.now() + LEAST_VALIDITY);
        if let Some(held) = held.as_ref().filter(|held| self.clock.now() < held.refresh_at) {
            return Ok(held.token.clone());
        }
        let timeout = if held.is_some() { REFRESH_TIMEOUT } else { TOKEN_TIMEOUT };
        match (self.fetch(source.as_ref(), scope, timeout).await, held.as_mut()) {
            (Ok(token), _) => {
                *held = Some(Held { token: token.clone(), refresh_at: token.expires_at - REFRESH_BEFORE_EXPIRY });
                Ok(token)
            }
            (Err(error), Some(held)) => {
                tracing::warn!(%error, "the old token is still valid and stays in use");
                held.refresh_at = self.clock.now() + REFRESH_PAUSE;
                Ok(held.token.clone())
            }
            (Err(error), None) => Err(error),
        }
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

    /// Forgets all tokens, so that the next request gets a new one: a service has refused one. The source keeps tokens
    /// too, so there has to be a new one.
    pub fn forget(&self) {
        let source = (self.make_source)();
        let mut kept = self.kept.lock();
        kept.tokens.clear();
        match source {
            Ok(source) => kept.source = source,
            Err(error) => tracing::warn!(%error, "{} could not be set up again", self.kind),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("kind", &self.kind).finish_non_exhaustive()
    }
}

fn options(http: &Http, cloud: Cloud) -> ClientOptions {
    let cloud = match cloud {
        // Left open, since AKS and others tell a workload where its cloud's authority is (AZURE_AUTHORITY_HOST).
        Cloud::Public => None,
        Cloud::UsGovernment => Some(CloudConfiguration::AzureGovernment),
        Cloud::China => Some(CloudConfiguration::AzureChina),
    };
    let retry = ExponentialRetryOptions { max_retries: TOKEN_RETRIES, ..ExponentialRetryOptions::default() };
    ClientOptions {
        retry: RetryOptions::exponential(retry),
        transport: Some(Transport::new(Arc::new(http.clone()))),
        cloud: cloud.map(Arc::new),
        ..ClientOptions::default()
    }
}

fn managed_identity(
    client_id: Option<String>,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options =
        ManagedIdentityCredentialOptions { user_assigned_id: client_id.map(UserAssignedId::ClientId), client_options };
    Ok(ManagedIdentityCredential::new(Some(options))?)
}

fn service_principal(
    tenant: &str,
    client: String,
    secret: &SecretString,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options = ClientSecretCredentialOptions { client_options };
    Ok(ClientSecretCredential::new(tenant, client, secret.expose_secret().to_owned().into(), Some(options))?)
}

/// Without options it would set up an HTTP client of `azure_core`'s own, which is not compiled in, and panic.
fn workload_identity(
    tenant_id: Option<String>,
    client_id: Option<String>,
    token_file: String,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options = WorkloadIdentityCredentialOptions {
        credential_options: ClientAssertionCredentialOptions { client_options },
        client_id,
        tenant_id,
        token_file_path: Some(token_file.into()),
    };
    Ok(WorkloadIdentityCredential::new(Some(options))?)
}

/// For `azure_mgmt_containerinstance`, which is built on the older generation of `azure_core`.
#[async_trait]
impl azure_core_legacy::auth::TokenCredential for Credential {
    async fn get_token(&self, scopes: &[&str]) -> azure_core_legacy::Result<azure_core_legacy::auth::AccessToken> {
        let token = self.token(&scopes.join(" ")).await.map_err(ArmError::from)?;
        Ok(azure_core_legacy::auth::AccessToken::new(token.secret.expose_secret().to_owned(), token.expires_at))
    }

    async fn clear_cache(&self) -> azure_core_legacy::Result<()> {
        self.forget();
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
