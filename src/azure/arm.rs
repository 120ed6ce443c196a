//! Azure Resource Manager: the one layer that owns retries, `Retry-After` and what an error means.
//!
//! * Only reads are sent again, and only a few times; whatever changes something is left to the next pass.
//! * After a `429`, or a `503` with `Retry-After`, no request of the same kind (read, write, delete: Azure counts them
//!   apart) to the same resource provider leaves before its time, nor to any other if Resource Manager itself refused it.
//! * The bearer token goes to no other origin, not even when a `nextLink` says so.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::arm_gates::{Closed, Gate, Gates};
use super::arm_refusal::{self, retry_after};
use super::bad_answer::BadAnswer;
use super::credential::Credential;
use crate::clock::Clock;
use crate::error::Cause;
use crate::http::{Answer, Call, Http, header_map, text_headers};
use crate::services::ArmError;
use crate::settings::AzureSettings;

/// Two further tries ride out a dropped connection or one bad front end; what lasts longer is the next pass's.
const READ_ATTEMPTS: u32 = 3;

/// Wait before a read is sent again; it doubles with each further time.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The longest `Retry-After` that a read waits for: Resource Manager asks for some 10 s when a large fleet has used up its
/// reads, and without a look before it nothing is created or deleted. Past it, the pass is better off without the answer.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(15);

/// More pages than any list can have: a subscription holds at most 5,000 container groups in a region and a topic at
/// most 2,000 subscriptions, in pages of at least 100.
const MAX_PAGES: usize = 1000;

/// The resource manager of one cloud, seen with one identity.
#[derive(Debug)]
pub(super) struct Arm {
    http: Http,
    credential: Arc<Credential>,
    base: Url,
    scope: String,
    clock: Clock,
    gates: Gates,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Value>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

impl Arm {
    pub(super) fn new(settings: &AzureSettings, http: Http, credential: Arc<Credential>, clock: Clock) -> Self {
        Self {
            http,
            credential,
            base: settings.resource_manager.clone(),
            scope: format!("{}/.default", settings.resource_manager_audience.trim_end_matches('/')),
            clock,
            gates: Gates::default(),
        }
    }

    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    pub(super) fn credential(&self) -> Arc<Credential> {
        self.credential.clone()
    }

    /// Its address with an api-version, for `azure_mgmt_containerinstance`, which keeps the query of its endpoint.
    pub(super) fn endpoint(&self, api_version: &str) -> Url {
        let mut url = self.base.clone();
        url.query_pairs_mut().append_pair("api-version", api_version);
        url
    }

    /// All items of a list, page by page. The path's segments and the query are escaped.
    pub(super) async fn list(
        &self,
        path: &[&str],
        api_version: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, ArmError> {
        let mut url = self.endpoint(api_version);
        url.query_pairs_mut().extend_pairs(query);
        url.path_segments_mut().expect("an http address has a path").clear().extend(path);
        let mut items = Vec::new();
        for _ in 0..MAX_PAGES {
            let body = self.get(url).await?;
            let page: Page = serde_json::from_slice(&body).map_err(BadAnswer::Page)?;
            items.extend(page.value);
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => url = next_page(&link, api_version)?,
                None => return Ok(items),
            }
        }
        Err(ArmError::unavailable(format!("a list did not end after {MAX_PAGES} pages")))
    }

    /// One resource. The path's segments are escaped.
    pub(crate) async fn read(&self, path: &[&str], api_version: &str) -> Result<Value, ArmError> {
        let mut url = self.endpoint(api_version);
        url.path_segments_mut().expect("an http address has a path").clear().extend(path);
        Ok(serde_json::from_slice(&self.get(url).await?).map_err(BadAnswer::Body)?)
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, ArmError> {
        let token = self.credential.token(&self.scope).await?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.secret.expose_secret()))
            .map_err(|_| ArmError::NoToken("the scaler's token is not text".into()))?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        Ok(self.execute(Method::GET, url, headers, Vec::new()).await?.body)
    }

    /// Sends a request, and a read a few times if it must; anything but a success is an error.
    async fn execute(&self, method: Method, url: Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, ArmError> {
        if url.origin() != self.base.origin() {
            let origin = url.origin().ascii_serialization();
            return Err(ArmError::unavailable(format!("a link leads to another origin ({origin})")));
        }
        let gate = Gate::of(&method, &url);
        let attempts = if gate.is_read() { READ_ATTEMPTS } else { 1 };
        let mut attempt = 1;
        loop {
            let (error, pause) = if let Some(Closed { wait, code }) = self.gates.closed(&gate) {
                (ArmError::Throttled { code, retry_after: wait }, Some(wait))
            } else {
                let call =
                    Call { method: method.clone(), url: url.clone(), headers: headers.clone(), body: body.clone() };
                match self.http.send(call).await {
                    Ok(answer) if answer.status.is_success() => return Ok(answer),
                    Ok(answer) => self.refused(&gate, &answer),
                    Err(error) => (ArmError::unavailable(Cause::new(error)), Some(Duration::ZERO)),
                }
            };
            let Some(pause) = pause.filter(|pause| attempt < attempts && *pause <= MAX_RETRY_PAUSE) else {
                return Err(error);
            };
            tracing::debug!(attempt, %error, path = url.path(), "asking again");
            tokio::time::sleep(pause.max(RETRY_PAUSE * 2_u32.pow(attempt - 1))).await;
            attempt += 1;
        }
    }

    /// What a refusal means, and the least wait after which the same request may succeed, if it may at all.
    fn refused(&self, gate: &Gate, answer: &Answer) -> (ArmError, Option<Duration>) {
        let wait = retry_after(&answer.headers, self.clock.now());
        let error = arm_refusal::from_answer(answer, wait);
        if let ArmError::Throttled { code, retry_after: wait } = &error {
            let by_gateway = answer.headers.get("x-ms-failure-cause").is_some_and(|cause| cause == "gateway");
            let gate = if by_gateway { gate.of_all_providers() } else { gate.clone() };
            let wait = *wait;
            self.gates.close(gate, Closed { wait, code: code.clone() });
            return (error, Some(wait));
        }
        let pause = match answer.status {
            StatusCode::UNAUTHORIZED => {
                self.credential.forget();
                None
            }
            status if status == StatusCode::REQUEST_TIMEOUT || status.is_server_error() => {
                Some(wait.unwrap_or_default())
            }
            _ => None,
        };
        (error, pause)
    }
}

/// The address of a next page, with the api-version that it may lack.
fn next_page(link: &str, api_version: &str) -> Result<Url, ArmError> {
    let mut url = Url::parse(link).map_err(BadAnswer::Link)?;
    if !url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("api-version")) {
        url.query_pairs_mut().append_pair("api-version", api_version);
    }
    Ok(url)
}

/// For `azure_mgmt_containerinstance`: its requests go through [`Arm::execute`], and its errors hold an [`ArmError`].
#[async_trait]
impl azure_core_legacy::HttpClient for Arm {
    async fn execute_request(
        &self,
        request: &azure_core_legacy::Request,
    ) -> azure_core_legacy::Result<azure_core_legacy::Response> {
        let azure_core_legacy::Body::Bytes(body) = request.body() else {
            return Err(ArmError::unavailable("a streaming body is not supported").into());
        };
        let method = Method::from_bytes(request.method().as_ref().as_bytes())
            .map_err(|error| ArmError::unavailable(Cause::new(error)))?;
        let headers = header_map(request.headers().iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let answer = self.execute(method, request.url().clone(), headers, body.to_vec()).await?;

        let status = azure_core_legacy::StatusCode::try_from(answer.status.as_u16())
            .map_err(|_| ArmError::unavailable(format!("status {} is unknown", answer.status)))?;
        let headers: std::collections::HashMap<_, _> = text_headers(&answer.headers)
            .into_iter()
            .map(|(name, value)| {
                (
                    azure_core_legacy::headers::HeaderName::from(name),
                    azure_core_legacy::headers::HeaderValue::from(value),
                )
            })
            .collect();
        let body = futures_util::stream::once(async move { Ok(answer.body.into()) });
        Ok(azure_core_legacy::Response::new(status, headers.into(), Box::pin(body)))
    }
}
