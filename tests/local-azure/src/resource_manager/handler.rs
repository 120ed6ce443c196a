//! Handles a request: logs it, applies its faults, and answers it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse as _, Response};
use time::macros::format_description;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Answer;
use super::calls::{Call, CallLog, OpenCall};
use super::connection::Breaker;
use super::effect::{Changes, Effect};
use super::fault::{self, Fault, Subject};
use super::operation::{Operation, OperationKind};
use super::service::{self, Request, Service};
use crate::clock;

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

    /// The faults of a request; each is counted.
    fn take_faults(&self, kind: OperationKind, operation: &Operation, body: &[u8]) -> Vec<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        // Finding the message means reading the group, which most requests do not need.
        let is_wanted = faults.iter().any(Fault::is_of_a_message);
        let message_id = is_wanted.then(|| self.service.message_of(operation, body)).flatten();
        fault::take(&mut faults, &Subject { kind, name: operation.name(), message_id })
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
    let faults = shared.take_faults(kind, &operation, &body);
    let changes = Changes::of(&faults);
    let (after, before): (Vec<_>, Vec<_>) = faults.into_iter().partition(Fault::is_after_effect);
    let uri_text = uri.to_string();
    let call =
        Call { kind, name, method, uri: uri_text, body: body.to_vec(), at: Instant::now(), status: None, answer: None };
    let exchange = Exchange { call: shared.calls.begin(call), shared: &shared, breaker, kind, changes };
    if let Some(response) = exchange.meet(before, Moment::BeforeEffect).await {
        return response;
    }
    let path_and_query = uri.path_and_query().map_or(uri.path(), |both| both.as_str());
    let request = Request { path: uri.path(), query: &query, headers: &headers, path_and_query, body: &body, changes };
    let answer = shared.service.answer(&operation, &request);
    if after.iter().any(|fault| matches!(fault.effect, Effect::Truncate)) {
        exchange.call.answered(answer.status(), None);
        return dress(answer.into_truncated_response(), shared.service.location(), changes);
    }
    if let Some(response) = exchange.meet(after, Moment::AfterEffect).await {
        return response;
    }
    let is_kept = shared.service.config.keep_answers && changes.keep_the_contract();
    let body = is_kept.then(|| answer.body());
    exchange.answer(answer, body)
}

struct Exchange<'a> {
    shared: &'a Shared,
    call: OpenCall,
    breaker: Breaker,
    kind: OperationKind,
    changes: Changes,
}

/// Whether the service has carried out the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    BeforeEffect,
    AfterEffect,
}

impl Exchange<'_> {
    /// Applies faults, up to one that decides the answer.
    async fn meet(&self, faults: Vec<Fault>, moment: Moment) -> Option<Response> {
        for fault in faults {
            if let Some(delay) = fault.effect.delay(self.kind) {
                tokio::select! {
                    () = sleep(delay) => {}
                    () = self.shared.stopped() => return Some(self.reset()),
                }
            }
            match fault.effect {
                Effect::Hang => {
                    self.shared.stopped().await;
                    return Some(self.reset());
                }
                Effect::Reset => return Some(self.reset()),
                Effect::Answer(answer) => return Some(self.answer(self.counted(answer, moment), None)),
                // The others are about the service's answer, or have been applied.
                _ => {}
            }
        }
        None
    }

    /// An answer instead of the service's to a create or delete. It counts towards the allowance in the same way.
    fn counted(&self, answer: Answer, moment: Moment) -> Answer {
        if !matches!(self.kind, OperationKind::PutGroup | OperationKind::DeleteGroup) || answer.takes_nothing() {
            return answer;
        }
        match moment {
            Moment::BeforeEffect => self.shared.service.take_and_mark(answer),
            Moment::AfterEffect => self.shared.service.mark(answer),
        }
    }

    /// Answers, and notes a body as the service's own.
    fn answer(&self, answer: Answer, body: Option<Bytes>) -> Response {
        self.call.answered(answer.status(), body);
        let answer = if self.changes.byte_order_mark { answer.with_byte_order_mark() } else { answer };
        dress(answer.into_response(), self.shared.service.location(), self.changes)
    }

    /// A response that never arrives.
    fn reset(&self) -> Response {
        self.breaker.reset_on_write();
        ().into_response()
    }
}

/// Adds the headers of every answer.
fn dress(mut response: Response, location: &str, changes: Changes) -> Response {
    let id = Uuid::new_v4();
    let headers = response.headers_mut();
    // The server adds the right date itself, unless there is one.
    if let Some(date) = changes.date_offset_seconds.and_then(date)
        && let Ok(date) = HeaderValue::try_from(date)
    {
        headers.insert(header::DATE, date);
    }
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
        // HTTP might not accept the location; then there is no such header.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The time as an HTTP date, shifted by this many seconds.
fn date(offset_seconds: i64) -> Option<String> {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    clock::now().checked_add(time::Duration::seconds(offset_seconds))?.format(format).ok()
}
