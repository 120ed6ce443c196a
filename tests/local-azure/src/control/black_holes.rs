//! Addresses that swallow packets, over HTTP.

use std::net::SocketAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Refusal, parse};
use crate::local::LocalAzure;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hole {
    address: SocketAddr,
}

pub(super) async fn all(State(azure): State<LocalAzure>) -> Json<Vec<Hole>> {
    Json(azure.black_holes.addresses().into_iter().map(|address| Hole { address }).collect())
}

pub(super) async fn open(State(azure): State<LocalAzure>, body: Bytes) -> Result<(StatusCode, Json<Hole>), Refusal> {
    let Hole { address } = parse(&body)?;
    if !address.ip().is_loopback() {
        return Err(Refusal::Invalid("a black hole is at a loopback address, such as 127.0.0.2:5672".to_owned()));
    }
    let opened = azure.black_holes.open(address).await;
    let address = opened.map_err(|error| Refusal::Invalid(format!("there can be no black hole there: {error}")))?;
    Ok((StatusCode::CREATED, Json(Hole { address })))
}

pub(super) async fn close(State(azure): State<LocalAzure>) -> StatusCode {
    azure.black_holes.close();
    StatusCode::NO_CONTENT
}
