//! Managed identity as in App Service and Container Instances: tokens for the identities of a Function App, and of container
//! groups.
//!
//! `GET $IDENTITY_ENDPOINT?api-version=2019-08-01&resource=…[&client_id=…]` with the header `X-IDENTITY-HEADER`.
//! Tokens are opaque; a service that receives one checks it with [`Identity::check`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock;

/// The version of the protocol, the only one.
pub const API_VERSION: &str = "2019-08-01";
/// The audience of tokens for Azure Resource Manager.
pub const RESOURCE_MANAGER_AUDIENCE: &str = "https://management.azure.com";
/// The audience of tokens for Service Bus.
pub const SERVICE_BUS_AUDIENCE: &str = "https://servicebus.azure.net";

/// Which identities there are, and how long their tokens last.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// What clients must send as `X-IDENTITY-HEADER`; random when absent.
    pub header: Option<String>,
    /// The client id of the system-assigned identity, if there is one.
    pub system_assigned: Option<String>,
    /// The client ids of user-assigned identities.
    pub user_assigned: Vec<String>,
    /// How long a token is valid; a day in Azure.
    pub token_lifetime: Duration,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            header: None,
            system_assigned: Some("22222222-2222-2222-2222-222222222222".to_owned()),
            user_assigned: vec!["33333333-3333-3333-3333-333333333333".to_owned()],
            token_lifetime: Duration::from_hours(24),
        }
    }
}

/// Issues and checks tokens. Clones share the tokens.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    header: String,
    config: IdentityConfig,
    tokens: Mutex<HashMap<String, Token>>,
    /// What containers must send as `X-IDENTITY-HEADER`, and whose tokens they then get.
    grants: Mutex<HashMap<String, Grant>>,
    settings: Mutex<Settings>,
}

/// Which identities a container group has been given.
#[derive(Clone, Copy, Debug)]
struct Grant {
    system_assigned: bool,
    user_assigned: bool,
}

/// What changes while it runs.
#[derive(Debug)]
struct Settings {
    token_lifetime: Duration,
    reuses_tokens: bool,
    /// The last token, and when it expires, by audience and client id.
    last: HashMap<(String, String), (String, OffsetDateTime)>,
}

#[derive(Clone, Debug)]
struct Token {
    audience: String,
    expires: OffsetDateTime,
}

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenRejected {
    /// It was not issued here.
    #[error("the token is not one of this identity's")]
    Unknown,
    /// It has expired.
    #[error("the token expired at {at}")]
    Expired {
        /// When it expired.
        at: OffsetDateTime,
    },
    /// It is for another service.
    #[error("the token is for '{audience}'")]
    OtherAudience {
        /// The service that it is for.
        audience: String,
    },
}

/// Why no token is issued.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenRefused {
    /// The header is missing or wrong.
    #[error("The X-IDENTITY-HEADER header is missing or does not match.")]
    Header,
    /// The query is not of the protocol.
    #[error("The query parameter '{parameter}' is missing or not supported.")]
    Query {
        /// The parameter.
        parameter: &'static str,
    },
    /// There is no such identity.
    #[error("No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.")]
    NoIdentity,
}

impl TokenRefused {
    /// The HTTP status of the answer. That a wrong header gives a 401 is inferred; the others are documented.
    pub fn status(&self) -> u16 {
        match self {
            Self::Header => 401,
            Self::Query { .. } | Self::NoIdentity => 400,
        }
    }

    /// The body of the answer.
    pub fn to_json(&self) -> Value {
        json!({ "statusCode": self.status(), "message": self.to_string() })
    }
}

impl Identity {
    /// No tokens yet.
    pub fn new(config: IdentityConfig) -> Self {
        let header = config.header.clone().unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        let token_lifetime = config.token_lifetime;
        let settings = Mutex::new(Settings { token_lifetime, reuses_tokens: false, last: HashMap::new() });
        Self(Arc::new(Inner { header, config, tokens: Mutex::default(), grants: Mutex::default(), settings }))
    }

    /// What clients must send as `X-IDENTITY-HEADER`: the value of their variable `IDENTITY_HEADER`.
    pub fn header(&self) -> &str {
        &self.0.header
    }

    /// Lets a container group have tokens of its identities, and returns what its containers must send as
    /// `X-IDENTITY-HEADER`.
    pub(crate) fn grant(&self, system_assigned: bool, user_assigned: bool) -> String {
        let header = Uuid::new_v4().simple().to_string();
        let mut grants = self.0.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.insert(header.clone(), Grant { system_assigned, user_assigned });
        header
    }

    /// The client id of the user-assigned identities that container groups are given.
    pub fn user_assigned_client_id(&self) -> Option<&str> {
        self.0.config.user_assigned.first().map(String::as_str)
    }

    /// Issues a token for an audience that is valid for `lifetime`.
    pub fn issue(&self, audience: &str, lifetime: Duration) -> String {
        let secret = format!("local-azure.{}", Uuid::new_v4().simple());
        let token = Token { audience: normalize(audience), expires: clock::now() + lifetime };
        self.tokens().insert(secret.clone(), token);
        secret
    }

    /// All tokens issued so far.
    pub fn issued(&self) -> Vec<String> {
        self.tokens().keys().cloned().collect()
    }

    /// Makes every token issued so far expire now.
    pub fn expire_all(&self) {
        let now = clock::now();
        self.tokens().values_mut().for_each(|token| token.expires = token.expires.min(now));
    }

    /// Revokes every token issued so far, or only those for one audience, long before they expire. Connections on which they
    /// were already put go on.
    pub fn revoke(&self, audience: Option<&str>) {
        let audience = audience.map(normalize);
        self.tokens().retain(|_, token| audience.as_ref().is_some_and(|audience| token.audience != *audience));
    }

    /// Sets how long tokens are valid that are issued from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.settings().token_lifetime = lifetime;
    }

    /// Sets whether the endpoint answers with the last token that it issued, until that expires, even if it was revoked.
    pub fn set_token_reuse(&self, is_reused: bool) {
        self.settings().reuses_tokens = is_reused;
    }

    /// Whether a token is valid for an audience now. A slash at the audience's end makes no difference.
    pub fn is_valid(&self, token: &str, audience: &str) -> bool {
        self.check(token, audience).is_ok()
    }

    /// The same, with the reason.
    pub fn check(&self, token: &str, audience: &str) -> Result<(), TokenRejected> {
        self.expiry(token, audience).map(|_| ())
    }

    /// Until when a token is valid for an audience, or why it is not.
    pub fn expiry(&self, token: &str, audience: &str) -> Result<OffsetDateTime, TokenRejected> {
        let token = self.tokens().get(token).cloned().ok_or(TokenRejected::Unknown)?;
        if token.audience != normalize(audience) {
            return Err(TokenRejected::OtherAudience { audience: token.audience });
        }
        if token.expires <= clock::now() {
            return Err(TokenRejected::Expired { at: token.expires });
        }
        Ok(token.expires)
    }

    /// Answers a request for a token, given its header and its query.
    pub fn token(&self, header: Option<&str>, query: &HashMap<String, String>) -> Result<Value, TokenRefused> {
        let grant = self.granted(header).ok_or(TokenRefused::Header)?;
        if query.get("api-version").is_none_or(|version| version != API_VERSION) {
            return Err(TokenRefused::Query { parameter: "api-version" });
        }
        let resource = query.get("resource").filter(|resource| !resource.is_empty());
        let resource = resource.ok_or(TokenRefused::Query { parameter: "resource" })?;
        let is_granted = if query.contains_key("client_id") { grant.user_assigned } else { grant.system_assigned };
        let client_id = self.client_id(query).ok().filter(|_| is_granted).ok_or(TokenRefused::NoIdentity)?;
        let now = clock::now();
        let (token, expires) = self.token_for(resource, &client_id, now);
        Ok(json!({
            "access_token": token,
            "client_id": client_id,
            "expires_on": expires.unix_timestamp().to_string(),
            "not_before": now.unix_timestamp().to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }))
    }

    /// The identities for a header: the Function App's has all, a container's those of its group.
    fn granted(&self, header: Option<&str>) -> Option<Grant> {
        if header == Some(self.header()) {
            return Some(Grant { system_assigned: true, user_assigned: true });
        }
        self.0.grants.lock().unwrap_or_else(PoisonError::into_inner).get(header?).copied()
    }

    /// A new token, or the last one.
    fn token_for(&self, audience: &str, client_id: &str, now: OffsetDateTime) -> (String, OffsetDateTime) {
        let mut settings = self.settings();
        let asked = (normalize(audience), client_id.to_owned());
        let last = settings.last.get(&asked).filter(|(_, expires)| settings.reuses_tokens && *expires > now);
        if let Some(last) = last {
            return last.clone();
        }
        let issued = (self.issue(audience, settings.token_lifetime), now + settings.token_lifetime);
        settings.last.insert(asked, issued.clone());
        issued
    }

    fn client_id(&self, query: &HashMap<String, String>) -> Result<String, TokenRefused> {
        let IdentityConfig { system_assigned, user_assigned, .. } = &self.0.config;
        // Only client ids are known here; naming an identity in another way names one that does not exist.
        if ["principal_id", "object_id", "mi_res_id"].iter().any(|parameter| query.contains_key(*parameter)) {
            return Err(TokenRefused::NoIdentity);
        }
        match query.get("client_id") {
            Some(asked) => user_assigned.iter().find(|have| have.eq_ignore_ascii_case(asked)).cloned(),
            None => system_assigned.clone(),
        }
        .ok_or(TokenRefused::NoIdentity)
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.0.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<String, Token>> {
        self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn normalize(audience: &str) -> String {
    audience.trim_end_matches('/').to_lowercase()
}
