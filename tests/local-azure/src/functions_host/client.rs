//! The host's side of the conversation with a handler.

use std::error::Error;
use std::future::pending;
use std::io::Cursor;
use std::iter;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use tokio_util::codec::{BytesCodec, FramedRead};

use super::request::{Framing, Invocation};
use super::response::{Reply, Verdict, judge};

/// The version that the stand-in follows.
pub(super) const HOST_VERSION: &str = "4.1052.200.1";

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The handler reported success.
    Succeeded {
        /// What it returned.
        return_value: Value,
        /// The lines that it wants in the host's log.
        logs: Vec<String>,
    },
    /// The handler reported a failure, or something that the host does not take for success.
    Failed {
        /// What the host's log says.
        reason: String,
    },
    /// There was no answer within the function's time-out, or one that the host ignores.
    TimedOut,
}

/// Calls a handler as the host does.
///
/// It differs from the host in one header: the client adds `Accept: */*`, where the host sends none.
#[derive(Clone, Debug)]
pub struct HandlerClient {
    http: reqwest::Client,
    port: u16,
}

impl HandlerClient {
    /// A client of the handler that listens on this port of 127.0.0.1.
    pub fn new(port: u16) -> Result<Self, reqwest::Error> {
        // reqwest needs a provider even for plain HTTP; one that is already installed will do.
        _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
        Ok(Self { http, port })
    }

    /// Invokes the function and judges the answer as the host does, which gives it `function_timeout` if there is one.
    ///
    /// An answer that the host would ignore leads to a time-out, or to an endless wait if there is none.
    pub async fn invoke(&self, invocation: &Invocation, function_timeout: Option<Duration>) -> Outcome {
        let outcome = async {
            match self.send(invocation).await.map(|reply| judge(&reply)) {
                Ok(Verdict::Succeeded { logs, return_value }) => Outcome::Succeeded { return_value, logs },
                Ok(Verdict::Failed(reason)) | Err(reason) => Outcome::Failed { reason },
                Ok(Verdict::Forgotten) => pending().await,
            }
        };
        match function_timeout {
            Some(limit) => timeout(limit, outcome).await.unwrap_or(Outcome::TimedOut),
            None => outcome.await,
        }
    }

    /// Sends an invocation and waits, for as long as it takes, for the whole answer; an error says why there is none.
    async fn send(&self, invocation: &Invocation) -> Result<Reply, String> {
        let body = invocation.body.to_string().into_bytes();
        let body = match invocation.framing {
            Framing::Chunked => reqwest::Body::wrap_stream(FramedRead::new(Cursor::new(body), BytesCodec::new())),
            Framing::Sized => body.into(),
        };
        let mut request = self
            .http
            .post(format!("http://127.0.0.1:{}/{}", self.port, invocation.function))
            .header("X-Azure-Functions-HostVersion", HOST_VERSION)
            .header("X-Azure-Functions-InvocationId", invocation.id.to_string())
            .header("User-Agent", format!("Azure-Functions-Host/{HOST_VERSION}"))
            .header("Content-Type", "application/json; charset=utf-8")
            .body(body);
        if let Some(traceparent) = &invocation.traceparent {
            request = request.header("traceparent", traceparent);
        }
        let answer = request.send().await.map_err(|error| reason(&error))?;
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, is_sized) = (header("content-type"), header("content-length").is_some() || status == 204);
        let body = answer.bytes().await.map_err(|error| reason(&error))?.to_vec();
        Ok(Reply { status, content_type, is_sized, body })
    }

    /// Where the handler listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Asks whether the handler is ready: any answer means yes, even one that is not HTTP; only a refused connection means no.
    pub(super) async fn is_ready(&self) -> bool {
        match self.http.get(format!("http://127.0.0.1:{}/", self.port)).send().await {
            Ok(_) => true,
            Err(error) => !error.is_connect(),
        }
    }
}

/// An error and its causes: reqwest's own text only says that something failed.
fn reason(error: &reqwest::Error) -> String {
    let causes = iter::successors(Some(error as &dyn Error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
