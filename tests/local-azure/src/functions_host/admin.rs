//! The endpoints that people and deployments use (azure-functions-host, `FunctionsController.cs`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::worker::State as WorkerState;
use super::{Shared, control};

/// Starts to serve at an address and returns it with its port. As under `func start`, no key is needed.
pub(super) async fn serve(shared: Arc<Shared>, at: SocketAddr, tasks: &mut JoinSet<()>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(at).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/admin/functions/{name}", post(run))
        .route("/admin/host/status", get(status))
        .merge(control::routes())
        .with_state(shared);
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    tasks.spawn(async move { _ = axum::serve(listener, router).await });
    Ok(address)
}

/// Starts a run and does not wait for it: only the log shows how it went.
async fn run(State(shared): State<Arc<Shared>>, Path(name): Path<String>, body: Bytes) -> StatusCode {
    let Ok(Value::Object(body)) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST };
    let Some(mut invocation) = shared.manual(&name).await else { return StatusCode::NOT_FOUND };
    if let (Some(input), Some(function)) =
        (body.get("input").filter(|input| !input.is_null()), shared.app.function(&name))
    {
        // A value that is not an object becomes a string with JSON.
        invocation.body["Metadata"][&function.binding] = Value::String(input.to_string());
    }
    tokio::spawn(async move { shared.invoke(&invocation).await });
    StatusCode::ACCEPTED
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let (state, errors) = match &*shared.state.borrow() {
        WorkerState::ShutDown(reason) => ("Error", vec![reason.clone()]),
        WorkerState::Initializing | WorkerState::Initialized => ("Running", Vec::new()),
    };
    Json(json!({ "id": "local-azure", "state": state, "version": super::client::HOST_VERSION, "errors": errors }))
}
