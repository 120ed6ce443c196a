//! The pooled HTTP client under both generations of `azure_core`.
//!
//! It follows no redirects, retries nothing and never waits for ever. Proxies that the environment names (`HTTPS_PROXY`)
//! are used for https only: what is asked over plain http is on this machine or next to it, and its secrets stay there.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use rustls::ClientConfig;
use url::Url;

use crate::tls::{self, TlsError};

/// A TCP and TLS handshake with a region on the other side of the world takes well under a second; 5 s also cover a
/// lost SYN and its retransmissions.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Azure Resource Manager itself gives up on a resource provider after 60 s and mostly answers in under 2 s. 30 s leave
/// a pass of 240 s room for other work when one request hangs.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A page of 1,000 container groups takes some 4 MB; a body past 64 MiB is no answer of Azure's.
const MAX_BODY_BYTES: usize = 64 << 20;

/// The client, which is one for https and one for plain http, each made when it is first needed. Clones share their pools
/// of connections.
#[derive(Clone, Debug, Default)]
pub struct Http(Arc<Clients>);

#[derive(Debug, Default)]
struct Clients {
    https: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
}

pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What came back, with the body read to its end.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// No answer came back, or not all of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error(transparent)]
    NotSent(#[from] TlsError),
    /// The error is without its URL, whose query may hold a secret.
    #[error(transparent)]
    Broken(reqwest::Error),
    #[error("the answer is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
}

impl Http {
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) async fn send(&self, call: Call) -> Result<Answer, NoAnswer> {
        let Call { method, url, headers, body } = call;
        let mut response = self.client(&url)?.request(method, url).headers(headers).body(body).send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(NoAnswer::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), headers: response.headers().clone(), body })
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, NoAnswer> {
        let is_plain = url.scheme() == "http";
        let client = if is_plain { &self.0.plain } else { &self.0.https };
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let tls = tls::client_config()?;
        let builder = reqwest::Client::builder();
        let builder = if is_plain { builder.no_proxy() } else { builder };
        let made = builder
            .tls_backend_preconfigured(ClientConfig::clone(&tls))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .build()?;
        Ok(client.get_or_init(|| made))
    }
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        Self::Broken(error.without_url())
    }
}

/// Headers by name and value, with those left out that HTTP does not allow.
pub(crate) fn header_map<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    pairs
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
        .collect()
}

/// Headers that are text, by name.
pub(crate) fn text_headers(headers: &HeaderMap) -> HashMap<String, String> {
    headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}
