//! Answers the Functions host, which invokes a custom handler over HTTP on the loopback address.
//!
//! * `GET /` is answered at once: the host polls it until the process is ready, and later as a health check.
//! * `POST /ScaleTimer` runs a pass, unless the last one began too recently, and answers with its summary. The pass has its own
//!   task, so that a dropped connection does not end it, and a panic ends nothing else. Two never run at once.
//! * A success always has a JSON object as its body. An empty or `null` one would make the host wait for its whole
//!   `functionTimeout` and then kill the process (azure-functions-host, `DefaultHttpWorkerService.cs`).
//! * A failure is logged, then answered with a 500, because the host does not show the answer's body.
//! * A shutdown gives the running pass a few seconds to end, then closes the connection that passes share, then gives the
//!   host's connections a moment, and logs what it had to cut off.

mod invocation;
mod passes;
mod port;
mod runner;
mod shutdown;
mod signal;

/// Untrusted bytes of the host, for the targets in tests/fuzz.
#[cfg(fuzzing)]
pub mod fuzzing {
    /// Logs an invocation with these headers and this body.
    pub fn log_invocation(id: &str, trace_parent: &str, body: &[u8]) {
        super::invocation::log(id, trace_parent, body);
    }
}

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{Instrument, debug, error, info, warn};

pub use self::passes::{InvocationFailure, PassSummary, Passes};
pub(crate) use self::port::{PortError, port};
pub(crate) use self::runner::CLOSING_DEADLINE;
pub use self::shutdown::SHUTDOWN_LIMIT;
pub use self::signal::{Signal, Signals};

use self::invocation::Invocation;
use self::runner::{Outcome, PassRunner};

/// The function's name for the host: that of the folder with its `function.json`.
const FUNCTION_NAME: &str = "ScaleTimer";

/// Serves the host until `shutdown` is ready, then ends the running pass within [`SHUTDOWN_LIMIT`] and returns what
/// `shutdown` gave.
///
/// A pass must end by `pass_deadline`, which must be at least 40 s shorter than the host's `functionTimeout`: a pass that
/// ignores its deadline is cut off half a minute later. An invocation sooner than `between_passes` after the start of the last
/// pass runs none.
pub async fn serve<S: Passes, T>(
    listener: TcpListener,
    scaler: S,
    pass_deadline: Duration,
    between_passes: Duration,
    shutdown: impl Future<Output = T>,
) -> io::Result<T> {
    let runner = Arc::new(PassRunner::new(scaler, pass_deadline, between_passes));
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            warn!(event = "slow_connection", %error, "a connection of the Functions host may be slow");
        }
    });
    let (close, closing) = oneshot::channel::<()>();
    let server = axum::serve(listener, router(Arc::clone(&runner))).with_graceful_shutdown(async {
        _ = closing.await;
    });
    let mut server = tokio::spawn(server.into_future());

    let reason = tokio::select! {
        reason = shutdown => reason,
        ended = &mut server => return Err(ended?.err().unwrap_or_else(|| io::Error::other("the listener is closed"))),
    };
    runner.close();
    _ = close.send(());
    shutdown::end(&runner, server).await;
    Ok(reason)
}

fn router<S: Passes>(runner: Arc<PassRunner<S>>) -> axum::Router {
    axum::Router::new()
        .route("/", get(|| async { "aci-scaler" }))
        .route(&format!("/{FUNCTION_NAME}"), post(invoke))
        .with_state(runner)
}

async fn invoke<S: Passes>(
    State(runner): State<Arc<PassRunner<S>>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let invocation = Invocation::read(&headers, body);
    let span = invocation.span();
    // The task goes on when the host's connection drops and this function with it.
    let pass = tokio::spawn(
        async move {
            invocation.log();
            runner.run().await
        }
        .instrument(span.clone()),
    );
    let outcome = pass.await;
    let _entered = span.enter();
    // The tasks of kept connections are among them. A number that grows from pass to pass is a leak.
    debug!(tasks = Handle::current().metrics().num_alive_tasks(), "the invocation is over");
    match outcome {
        Ok(Outcome::Ended(summary)) => success(&summary.lines, &summary.report),
        Ok(Outcome::AlreadyRunning) => {
            info!(event = "already_running", "a pass is already running; this invocation leaves the work to it");
            success(&[], &Value::Null)
        }
        Ok(Outcome::TooSoon { since, between_passes }) => {
            let (since, between) = (since.as_secs(), between_passes.as_secs());
            let line = format!("no pass: the last one began {since} s ago, and passes are {between} s apart");
            debug!("{line}");
            success(&[line], &Value::Null)
        }
        Ok(Outcome::Failed(reason)) => failure(StatusCode::INTERNAL_SERVER_ERROR, &reason),
        Ok(Outcome::Closing) => failure(StatusCode::SERVICE_UNAVAILABLE, &"the scaler is shutting down"),
        Err(panicked) => {
            error!(event = "pass_panicked", "the pass panicked; the next invocation starts afresh");
            failure(StatusCode::INTERNAL_SERVER_ERROR, &panicked)
        }
    }
}

fn success(lines: &[String], report: &Value) -> Response {
    Json(json!({ "Outputs": {}, "Logs": lines, "ReturnValue": report })).into_response()
}

fn failure(status: StatusCode, reason: &dyn fmt::Display) -> Response {
    (status, Json(json!({ "error": reason.to_string() }))).into_response()
}
