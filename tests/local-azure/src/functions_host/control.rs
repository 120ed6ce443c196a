//! What can be done to a handler, over HTTP, next to the host's own endpoints.

use std::sync::{Arc, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{post, put};
use axum::{Json, Router, middleware};
use serde::Deserialize;

use super::Shared;
use super::half_request::Half;
use super::streams::Streams;
use crate::control::{Refusal, guard, parse};
use crate::processes::Signal;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/control/handler/streams", put(set_streams).get(streams))
        .route("/control/handler/suspension", put(suspend).delete(resume))
        .route("/control/handler/half-requests", post(half_request).delete(close_half_requests))
        .route_layer(middleware::from_fn(guard))
}

async fn streams(State(shared): State<Arc<Shared>>) -> Json<Streams> {
    Json(*shared.streams.borrow())
}

async fn set_streams(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<StatusCode, Refusal> {
    shared.streams.send_replace(parse(&body)?);
    Ok(StatusCode::NO_CONTENT)
}

async fn suspend(State(shared): State<Arc<Shared>>) -> Result<StatusCode, Refusal> {
    signalled(shared.signal(Signal::STOP))
}

async fn resume(State(shared): State<Arc<Shared>>) -> Result<StatusCode, Refusal> {
    signalled(shared.signal(Signal::CONT))
}

fn signalled(was_there: bool) -> Result<StatusCode, Refusal> {
    was_there
        .then_some(StatusCode::NO_CONTENT)
        .ok_or_else(|| Refusal::NotFound("there is no handler that can be suspended".to_owned()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HalfBody {
    function: String,
    sent: Half,
}

async fn half_request(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let HalfBody { function, sent } = parse(&body)?;
    let request = shared.half_request(&function, sent).await;
    let request = request.map_err(|error| Refusal::NotFound(format!("there is no handler: {error}")))?;
    shared.half_requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    Ok(StatusCode::CREATED)
}

async fn close_half_requests(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.half_requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    StatusCode::NO_CONTENT
}
