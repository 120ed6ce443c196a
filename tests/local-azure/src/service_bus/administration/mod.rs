//! Administration over HTTP: topics, subscriptions and rules as Atom documents, on the port of AMQP.
//!
//! As the service's clients use it: `GET`, `PUT` and `DELETE` of `/topic`, `/topic/Subscriptions/name` and
//! `/topic/Subscriptions/name/Rules/name`, lists of each (`/$Resources/Topics` of topics) in pages of `$skip` and `$top`,
//! `/$namespaceinfo`, and a token in `Authorization`. A `PUT` creates, with `If-Match: *` it changes. What the local
//! Service Bus cannot do is refused, never ignored.

mod atom;
mod description;
mod duration;
mod refusal;
mod requests;
mod rule;
mod target;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use self::atom::Site;
use self::refusal::Refusal;
use self::requests::Request;
use self::target::Target;
use super::Shared;
use super::broker::entity::path_of;
use super::signature::{self, OTHER_RESOURCE, is_within};
use crate::clock;

/// Serves connections until `stop`.
pub(super) async fn serve(connections: UnboundedReceiver<TcpStream>, shared: Arc<Shared>, stop: CancellationToken) {
    let router = Router::new().fallback(handle).with_state(shared);
    let served = axum::serve(HandedOver(connections), router).with_graceful_shutdown(stop.cancelled_owned());
    // Serving ends without errors: it goes on after those of single connections.
    _ = served.await;
}

/// Connections that another task accepted.
struct HandedOver(UnboundedReceiver<TcpStream>);

impl axum::serve::Listener for HandedOver {
    type Io = TcpStream;
    type Addr = ();

    async fn accept(&mut self) -> (TcpStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = || {
        authorize(&headers, uri.path(), &shared)?;
        let target = Target::parse(uri.path()).ok_or_else(|| Refusal::no_entity(uri.path()))?;
        let body = std::str::from_utf8(&body).map_err(|_| Refusal::invalid("the body is not UTF-8"))?;
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let site = Site { host, query: &query };
        let changes = headers.contains_key(header::IF_MATCH);
        let request = Request { method: &method, body, changes, site, now: clock::now() };
        request.answer(&target, &shared)
    };
    answer().map_or_else(Refusal::into_response, atom::Document::into_response)
}

/// Checks the token, which must be for the path or a part of it. JavaScript's SDK writes the resource in lower
/// case and with the query.
fn authorize(headers: &HeaderMap, path: &str, shared: &Shared) -> Result<(), Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.ok_or(Refusal::unauthorized("MissingToken: The authorization header was not found."))?;
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    let claim = signature::check(token, &shared.config).map_err(Refusal::unauthorized)?;
    if claim.expires <= clock::now() {
        return Err(Refusal::unauthorized("ExpiredToken: The token is expired."));
    }
    let resource = claim.resource.unwrap_or_default().to_lowercase();
    let resource = resource.split('?').next().unwrap_or_default();
    if is_within(path.trim_matches('/').to_lowercase().as_str(), path_of(resource)) {
        return Ok(());
    }
    Err(Refusal::unauthorized(OTHER_RESOURCE))
}
