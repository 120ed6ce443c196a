//! The pooled HTTP client under both generations of `azure_core`.
//!
//! It follows no redirects, retries nothing, and every wait has a limit. Proxies from the environment (`HTTPS_PROXY`) are used
//! for https only: plain http goes to this machine or next to it, and its secrets stay there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use rustls::ClientConfig;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::net::lookup_host;
use url::Url;

use crate::addresses;
use crate::tls::{self, TlsError};

/// A TCP and TLS handshake with a region on the other side of the world takes well under a second; 5 s also cover a
/// lost SYN and its retransmissions.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Azure Resource Manager itself gives up on a resource provider after 60 s and mostly answers in under 2 s. 30 s leave
/// a pass of 240 s room for other work when one request hangs.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A page of 1,000 container groups takes some 4 MB; no answer of Azure's is larger than 64 MiB.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Some services put it before JSON (azure-rest-api-specs#42472), and no JSON parser accepts it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One client for https and one for plain http, each created when it is first needed. Clones share their connection pools.
#[derive(Clone, Debug)]
pub struct Http(Arc<Clients>);

#[derive(Debug)]
struct Clients {
    https: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
    look_up: LookUp,
}

pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// An answer: its body is complete and has no byte order mark.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The server's time when it answered (`Date`, RFC 9110, section 6.6.1).
    pub(crate) fn date(&self) -> Option<OffsetDateTime> {
        // HTTP dates end in GMT, which RFC 2822 calls obsolete but allows.
        OffsetDateTime::parse(self.headers.get("date")?.to_str().ok()?, &Rfc2822).ok()
    }
}

/// No answer came, or only part of one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error(transparent)]
    NotSent(#[from] TlsError),
    /// The error without its URL, whose query may hold a secret.
    #[error(transparent)]
    Broken(reqwest::Error),
    #[error("the answer is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Http {
    pub fn new() -> Self {
        Self::with_look_up(look_up)
    }

    fn with_look_up(look_up: LookUp) -> Self {
        Self(Arc::new(Clients { https: OnceLock::new(), plain: OnceLock::new(), look_up }))
    }

    pub(crate) async fn send(&self, call: Call) -> Result<Answer, NoAnswer> {
        let Call { method, url, headers, body } = call;
        let client = self.client(&url)?;
        let target = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or_default());
        let request = client.request(method, url).headers(headers).body(body);
        let mut response = TARGET.scope(target, request.send()).await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(NoAnswer::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        if body.starts_with(BYTE_ORDER_MARK) {
            body.drain(..BYTE_ORDER_MARK.len());
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
            .dns_resolver(Arc::new(Resolver { look_up: self.0.look_up }))
            .tcp_nodelay(true)
            .build()?;
        Ok(client.get_or_init(|| made))
    }
}

tokio::task_local! {
    /// The host and the port of the request that a task is sending.
    static TARGET: (String, u16);
}

type LookUp = fn(String, u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>>;

/// Resolves names so that an unreachable address costs a quarter of a second. The client's own way is to divide the time for
/// connecting among the addresses.
///
/// It costs one more connection if a name has several addresses; new connections are rare.
struct Resolver {
    look_up: LookUp,
}

fn look_up(host: String, port: u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, look_up) = (name.as_str().to_owned(), self.look_up);
        let target = TARGET.try_with(Clone::clone).ok();
        Box::pin(async move {
            let mut found = match target {
                Some((target, port)) if target == host => {
                    addresses::first_answering_first(look_up(host, port).await?).await
                }
                // A proxy, whose port is unknown here.
                _ => look_up(host, 0).await?,
            };
            // The client fills in the port that it connects to.
            for address in &mut found {
                address.set_port(0);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        Self::Broken(error.without_url())
    }
}

/// Headers by name and value, without those that HTTP does not allow.
pub(crate) fn header_map<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    pairs
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
        .collect()
}

/// The headers that are text, by name.
pub(crate) fn text_headers(headers: &HeaderMap) -> HashMap<String, String> {
    headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use local_azure::black_hole::BlackHole;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    /// A name of two addresses.
    fn two_addresses(_: String, port: u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok([[127, 0, 0, 2], [127, 0, 0, 1]].map(|ip| (ip, port).into()).to_vec()) })
    }

    #[tokio::test]
    async fn an_address_that_swallows_packets_costs_a_request_a_quarter_of_a_second() {
        let service = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = service.local_addr().unwrap().port();
        let _hole = BlackHole::open(([127, 0, 0, 2], port).into()).await.unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = service.accept().await.unwrap();
                tokio::spawn(async move {
                    // The first connection only shows that the address answers.
                    if stream.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
                    }
                });
            }
        });
        let http = Http::with_look_up(two_addresses);
        let start = Instant::now();
        for _ in 0..3 {
            let url = format!("http://name.example:{port}/").parse().unwrap();
            let call = Call { method: Method::GET, url, headers: HeaderMap::new(), body: Vec::new() };
            assert_eq!(http.send(call).await.unwrap().body, b"hi");
        }
        // The system's own client gives the first address half of its time to connect.
        assert!(start.elapsed() < Duration::from_millis(2400), "{:?}", start.elapsed());
    }
}
