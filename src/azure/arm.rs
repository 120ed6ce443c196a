//! Azure Resource Manager: the one layer for retries, `Retry-After` and the meaning of errors.
//!
//! * It retries only reads, and only a few times; the next pass repeats requests that change something.
//! * After a `429`, or a `503` with `Retry-After`, it holds the requests concerned back until then, except for one a minute
//!   (see [`arm_gates`](super::arm_gates)).
//! * After a `401` it requests a new token, and retries a read once with it.
//! * It never sends the bearer token to another origin, even if a `nextLink` leads there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;

use super::arm_gates::{Closed, Gate, Gates, Passage, Request};
use super::arm_list::Pages;
use super::arm_refusal::{self, retry_after};
use super::bad_answer::BadAnswer;
use super::credential::{AccessToken, Credential};
use crate::clock::Clock;
use crate::error::Cause;
use crate::http::{Answer, Call, Http, header_map, text_headers};
use crate::services::ArmError;
use crate::settings::AzureSettings;
use crate::sync::Mutex;

/// Two retries survive a dropped connection or one bad front end; the next pass handles longer failures.
const READ_ATTEMPTS: u32 = 3;

/// The wait before the first retry of a read; it doubles with each further one.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The longest `Retry-After` that a read waits for. Resource Manager asks for some 10 s when a large fleet has used up its
/// reads, and each create and delete needs a read first. With a longer wait, the pass is better off without the answer.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(15);

/// The resource manager of one cloud, as one identity uses it.
#[derive(Debug)]
pub(super) struct Arm {
    http: Http,
    credential: Arc<Credential>,
    base: Url,
    scope: String,
    clock: Clock,
    gates: Gates,
    /// How far this machine's clock is ahead of Azure's, by the newest answer.
    clock_ahead: Mutex<Option<time::Duration>>,
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
            clock_ahead: Mutex::default(),
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
        Ok(self.list_of(path, api_version, query, |item| Ok(Some(item))).await?.0)
    }

    /// What `read` returns for the items of a list, and Azure's time, if the answer has it. Items for which it returns nothing
    /// are dropped with their page.
    pub(super) async fn list_of<T>(
        &self,
        path: &[&str],
        api_version: &str,
        query: &[(&str, &str)],
        read: impl Fn(Value) -> Result<Option<T>, ArmError>,
    ) -> Result<(Vec<T>, Option<OffsetDateTime>), ArmError> {
        let mut url = self.endpoint(api_version);
        url.query_pairs_mut().extend_pairs(query);
        url.path_segments_mut().expect("an http address has a path").clear().extend(path);
        let (mut pages, mut kept) = (Pages::default(), Vec::new());
        loop {
            pages.begin(&url)?;
            let answer = self.get(url).await?;
            let (items, next) = pages.read(&answer.body, api_version)?;
            for item in items {
                kept.extend(read(item)?);
            }
            match next {
                Some(next) => url = next,
                None => return Ok((kept, answer.date())),
            }
        }
    }

    /// The answer to a query that is a POST. The path's segments are escaped.
    pub(super) async fn ask(&self, path: &[&str], api_version: &str) -> Result<Value, ArmError> {
        let mut url = self.endpoint(api_version);
        url.path_segments_mut().expect("an http address has a path").clear().extend(path);
        let token = self.credential.token(&self.scope).await?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer(&token)?)]);
        let answer = self.execute(Method::POST, url, headers, Vec::new()).await?;
        Ok(serde_json::from_slice(&answer.body).map_err(BadAnswer::Body)?)
    }

    pub(super) fn clock_ahead(&self) -> Option<time::Duration> {
        *self.clock_ahead.lock()
    }

    fn note_date(&self, answer: &Answer) {
        if let Some(date) = answer.date() {
            *self.clock_ahead.lock() = Some(self.clock.now() - date);
        }
    }

    /// One resource. The path's segments are escaped.
    pub(crate) async fn read(&self, path: &[&str], api_version: &str) -> Result<Value, ArmError> {
        let mut url = self.endpoint(api_version);
        url.path_segments_mut().expect("an http address has a path").clear().extend(path);
        Ok(serde_json::from_slice(&self.get(url).await?.body).map_err(BadAnswer::Body)?)
    }

    /// Creates a resource, or changes it, with a body of JSON. The path's segments are escaped.
    pub(super) async fn put(&self, path: &[&str], api_version: &str, body: Vec<u8>) -> Result<Answer, ArmError> {
        let mut url = self.endpoint(api_version);
        url.path_segments_mut().expect("an http address has a path").clear().extend(path);
        let token = self.credential.token(&self.scope).await?;
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer(&token)?), (CONTENT_TYPE, json)]);
        self.execute(Method::PUT, url, headers, body).await
    }

    async fn get(&self, url: Url) -> Result<Answer, ArmError> {
        let token = self.credential.token(&self.scope).await?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer(&token)?)]);
        self.execute(Method::GET, url, headers, Vec::new()).await
    }

    /// Sends a request, and a read several times if necessary. Anything but a success is an error.
    async fn execute(
        &self,
        method: Method,
        url: Url,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, ArmError> {
        if url.origin() != self.base.origin() {
            let origin = url.origin().ascii_serialization();
            return Err(ArmError::unavailable(format!("a link leads to another origin ({origin})")));
        }
        let request = Request::of(&method, &url);
        let attempts = if request.is_read() { READ_ATTEMPTS } else { 1 };
        let mut attempt = 1;
        loop {
            let passage = self.gates.passage(&request);
            let (error, pause) = if let Passage::Closed(closed) = passage {
                let wait = closed.wait;
                (still_closed(closed), Some(wait))
            } else {
                let call =
                    Call { method: method.clone(), url: url.clone(), headers: headers.clone(), body: body.clone() };
                match self.http.send(call).await.inspect(|answer| self.note_date(answer)) {
                    Ok(answer) if answer.status.is_success() => {
                        if passage == Passage::Probe {
                            self.gates.open(&request);
                        }
                        return Ok(answer);
                    }
                    Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                        let (error, _) = self.refused(&request, &answer);
                        let renewed = self.renew_token(&mut headers).await && request.is_read();
                        (error, renewed.then_some(Duration::ZERO))
                    }
                    Ok(answer) => self.refused(&request, &answer),
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

    /// Replaces a refused token, if there is another.
    async fn renew_token(&self, headers: &mut HeaderMap) -> bool {
        let refused = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let Some(refused) = refused.map(SecretString::from) else { return false };
        let another = self.credential.another(&self.scope, &refused).await;
        let Some(Ok(bearer)) = another.as_ref().map(bearer) else { return false };
        headers.insert(AUTHORIZATION, bearer);
        true
    }

    /// The meaning of a refusal, and how long to wait before the same request may succeed, if it ever may.
    fn refused(&self, request: &Request, answer: &Answer) -> (ArmError, Option<Duration>) {
        let wait = retry_after(&answer.headers, answer.date().unwrap_or_else(|| self.clock.now()));
        let error = arm_refusal::from_answer(answer, wait);
        if let ArmError::Throttled { code, retry_after: wait } = &error {
            for gate in request.throttled_by(answer) {
                self.gates.close(Closed { gate, wait: *wait, code: code.clone() });
            }
            let wait = *wait;
            return (error, Some(wait));
        }
        if let (StatusCode::SERVICE_UNAVAILABLE, Some(wait)) = (answer.status, wait) {
            let code = format!("status {}", answer.status.as_u16());
            self.gates.close(Closed { gate: request.resource(), wait, code });
        }
        let may_pass = answer.status == StatusCode::REQUEST_TIMEOUT || answer.status.is_server_error();
        (error, may_pass.then(|| wait.unwrap_or_default()))
    }
}

/// The result of a request that is held back.
fn still_closed(Closed { gate, wait, code }: Closed) -> ArmError {
    match gate {
        Gate::Resource(..) => ArmError::unavailable(format!("{code}, which asks to wait {} s more", wait.as_secs())),
        Gate::Provider(..) | Gate::Subscription(_) => ArmError::Throttled { code, retry_after: wait },
    }
}

fn bearer(token: &AccessToken) -> Result<HeaderValue, ArmError> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.secret.expose_secret()))
        .map_err(|_| ArmError::NoToken("the scaler's token is not text".into()))?;
    bearer.set_sensitive(true);
    Ok(bearer)
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
