//! The way of a request: it is logged, meets its faults, and is answered.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::calls::{Call, CallLog, OpenCall};
use super::connection::Breaker;
use super::fault::{self, Effect, Fault};
use super::operation::Operation;
use super::service::{self, Request, Service};

#[derive(Debug)]
pub(super) struct Shared {
    pub service: Service,
    pub faults: Mutex<Vec<Fault>>,
    pub calls: CallLog,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(service: Service) -> Self {
        Self { service, faults: Mutex::default(), calls: CallLog::default(), stop: watch::Sender::new(false) }
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) async fn stopped(&self) {
        // The sender is here, so that waiting for it does not fail.
        _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    Query(query): Query<service::Query>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = Operation::parse(&method, uri.path());
    let (kind, name) = (operation.kind(), operation.name().map(str::to_owned));
    let faults = fault::take(&mut shared.faults.lock().unwrap_or_else(PoisonError::into_inner), kind, name.as_deref());
    let page_limit = fault::page_limit(&faults);
    let (after, before): (Vec<_>, Vec<_>) = faults.into_iter().partition(Fault::is_after_effect);
    let uri_text = uri.to_string();
    let call =
        Call { kind, name, method, uri: uri_text, body: body.to_vec(), at: Instant::now(), status: None, answer: None };
    let exchange = Exchange { call: shared.calls.begin(call), shared: &shared, breaker };
    if let Some(response) = exchange.meet(before).await {
        return response;
    }
    let request = Request { path: uri.path(), query: &query, headers: &headers, body: &body, page_limit };
    let answer = shared.service.answer(&operation, &request);
    if after.iter().any(|fault| matches!(fault.effect, Effect::Truncate)) {
        exchange.call.answered(answer.status(), None);
        return dress(answer.into_truncated_response(), shared.service.location());
    }
    if let Some(response) = exchange.meet(after).await {
        return response;
    }
    let body = shared.service.config.keep_answers.then(|| answer.body());
    exchange.answer(answer, body)
}

struct Exchange<'a> {
    shared: &'a Shared,
    call: OpenCall,
    breaker: Breaker,
}

impl Exchange<'_> {
    /// Lets faults happen; one that decides the answer ends it.
    async fn meet(&self, faults: Vec<Fault>) -> Option<Response> {
        for fault in faults {
            match fault.effect {
                Effect::Delay(delay) => tokio::select! {
                    () = sleep(delay) => {}
                    () = self.shared.stopped() => return Some(self.reset()),
                },
                Effect::Hang => {
                    self.shared.stopped().await;
                    return Some(self.reset());
                }
                Effect::Reset => return Some(self.reset()),
                Effect::Answer(answer) => return Some(self.answer(answer, None)),
                // The handler has seen to it, for it is about the service's answer.
                Effect::Truncate | Effect::PageLimit(_) => {}
            }
        }
        None
    }

    /// Answers, and notes a body as the service's own.
    fn answer(&self, answer: super::Answer, body: Option<Bytes>) -> Response {
        self.call.answered(answer.status(), body);
        dress(answer.into_response(), self.shared.service.location())
    }

    /// None of this response arrives.
    fn reset(&self) -> Response {
        self.breaker.reset_on_write();
        ().into_response()
    }
}

/// Adds the headers that are on every answer.
fn dress(mut response: Response, location: &str) -> Response {
    let id = Uuid::new_v4();
    let headers = response.headers_mut();
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("pragma", "no-cache"),
        ("expires", "-1"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [
        ("x-ms-request-id", format!("{location}:{id}")),
        ("x-ms-correlation-request-id", id.to_string()),
        ("x-ms-routing-request-id", format!("{}:{id}", location.to_uppercase())),
    ] {
        // A location is the one thing here that HTTP might not accept; then there is no such header.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}
