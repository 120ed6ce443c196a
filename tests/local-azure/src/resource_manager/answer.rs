//! The service's answers, including errors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio_util::codec::{BytesCodec, FramedRead};

use crate::container_groups::InvalidGroup;

/// An answer. A [`Fault`](super::Fault) can replace the service's with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Bytes,
}

impl Answer {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".into(), "application/json; charset=utf-8".to_owned())];
        Self { status, headers, body: body.to_string().into() }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// A success whose body is not of the type in its header.
    pub fn garbage() -> Self {
        let mut answer = Self::json(200, &Value::Null);
        answer.body = Bytes::from_static(b"<html><body>Our services aren't available right now</body></html>");
        answer
    }

    /// An error with the service's code and message.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({ "error": { "code": code, "message": message } }))
    }

    /// Azure Resource Manager's own refusal of too many requests (429), with `Retry-After` in seconds.
    pub fn throttled(retry_after: Duration) -> Self {
        let seconds = whole_seconds(retry_after);
        let message = format!(
            "Number of requests for subscription exceeded. Please try again after '{seconds}' seconds after additional \
             tokens are available. Refer to https://aka.ms/arm-throttling for additional information."
        );
        Self::error(429, "SubscriptionRequestsThrottled", &message)
            .by_gateway()
            .retry_after(retry_after)
            .header("x-ms-ratelimit-remaining-subscription-writes", "0")
    }

    /// The container instances service's refusal of too many creates and deletes (429). Its text is inferred.
    pub fn too_many_requests(retry_after: Duration) -> Self {
        let message = format!(
            "The number of requests for container group creates has exceeded the limit. Please retry after '{}' \
             seconds.",
            whole_seconds(retry_after)
        );
        Self::error(429, "TooManyRequests", &message)
            .retry_after(retry_after)
            .header("x-ms-ratelimit-remaining-subscription-resource-requests-pt5m", "0")
    }

    /// The subscription's quota of cores is used up (400).
    pub fn quota_reached() -> Self {
        let message = "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota \
                       'StandardCores' exceeded in region 'westeurope'. Limit: '10', Usage: '10' Requested: '1'.";
        Self::error(400, "ContainerGroupQuotaReached", message)
    }

    /// The region has no room (with a 409).
    pub fn service_unavailable() -> Self {
        let full = InvalidGroup::NotAvailable { location: "westeurope".to_owned(), cpu: 2.0, memory_gb: 4.0 };
        Self::from(&full)
    }

    /// The token is no longer accepted (401).
    pub fn token_expired(at: OffsetDateTime, now: OffsetDateTime) -> Self {
        let format = format_description!(
            "[month padding:none]/[day padding:none]/[year] [hour repr:12 padding:none]:[minute]:[second] [period]"
        );
        let [at, now] = [at, now].map(|time| time.format(format).unwrap_or_default());
        let message = format!("The access token expiry UTC time '{at}' is earlier than current UTC time '{now}'.");
        Self::unauthorized("ExpiredAuthenticationToken", &message)
    }

    /// The request is not authenticated (401).
    pub fn unauthorized(code: &str, message: &str) -> Self {
        let challenge = format!(
            "Bearer authorization_uri=\"https://login.microsoftonline.com/55555555-5555-5555-5555-555555555555\", \
             error=\"invalid_token\", error_description=\"{message}\""
        );
        Self::error(401, code, message).by_gateway().header("www-authenticate", challenge)
    }

    /// The identity lacks a role (403).
    pub fn forbidden(action: &str) -> Self {
        let message = format!(
            "The client '22222222-2222-2222-2222-222222222222' with object id '22222222-2222-2222-2222-222222222222' \
             does not have authorization to perform action '{action}' over scope '/' or the scope is invalid. If \
             access was recently granted, please refresh your credentials."
        );
        Self::error(403, "AuthorizationFailed", &message).by_gateway()
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header, unless there is one with its name.
    #[must_use]
    pub(super) fn default_header(self, name: &'static str, value: impl Into<String>) -> Self {
        if self.has_header(name) { self } else { self.header(name, value) }
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(have, _)| have.eq_ignore_ascii_case(name))
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, after: Duration) -> Self {
        self.header("retry-after", whole_seconds(after).to_string())
    }

    /// Adds the header with which Azure Resource Manager marks its own refusals.
    #[must_use]
    pub(super) fn by_gateway(self) -> Self {
        self.header("x-ms-failure-cause", "gateway")
    }

    /// Whether it comes from the gateway, without asking the service, or says that no allowance is left.
    pub(super) fn takes_nothing(&self) -> bool {
        matches!(self.status, 401 | 403 | 429) || self.has_header("x-ms-failure-cause")
    }

    /// The same answer, whose JSON begins with a byte order mark.
    #[must_use]
    pub(super) fn with_byte_order_mark(mut self) -> Self {
        let is_json = self.headers.iter().any(|(name, value)| name == "content-type" && value.contains("json"));
        if is_json && !self.body.is_empty() {
            self.body = [b"\xef\xbb\xbf", &*self.body].concat().into();
        }
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Its body.
    pub(super) fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// The same answer, but only half of the body arrives before the connection breaks.
    pub(super) fn into_truncated_response(self) -> Response {
        let length = self.body.len();
        let half = self.body.slice(..length / 2);
        let broken = FramedRead::new(io::Cursor::new(half).chain(Broken), BytesCodec::new());
        let mut response = self.into_response();
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        *response.body_mut() = Body::from_stream(broken);
        response
    }
}

impl From<&InvalidGroup> for Answer {
    fn from(invalid: &InvalidGroup) -> Self {
        let (status, code) = invalid.status_and_code();
        Self::error(status, code, &invalid.to_string())
    }
}

impl IntoResponse for Answer {
    /// A status or header that HTTP does not know becomes a 500 that says so: it is the test's mistake.
    fn into_response(self) -> Response {
        let mistake = || (StatusCode::INTERNAL_SERVER_ERROR, "not an HTTP answer").into_response();
        let Ok(status) = StatusCode::from_u16(self.status) else { return mistake() };
        let mut response = (status, self.body).into_response();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        for (name, value) in self.headers {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(&*name), HeaderValue::from_str(&value)) else {
                return mistake();
            };
            headers.insert(name, value);
        }
        response
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("status", &self.status)?;
        let headers: BTreeMap<_, _> = self.headers.iter().map(|(name, value)| (name, value)).collect();
        map.serialize_entry("headers", &headers)?;
        map.serialize_entry("body", &String::from_utf8_lossy(&self.body))?;
        map.end()
    }
}

/// Rounds up, so that a client waits long enough.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A reader that fails.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}
