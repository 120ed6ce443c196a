//! The order in which a shutdown ends things.

use std::io;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

use super::Passes;
use super::runner::PassRunner;

/// How long a shutdown takes at most, from the signal to the end of the process.
///
/// Service managers and container runtimes wait at least 10 s before they kill the process; half of it leaves a margin.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// The part of it for the host's connections, after the last pass: an answer takes milliseconds, and a client that has sent
/// half a request by then will not send the rest.
const CONNECTIONS_LIMIT: Duration = Duration::from_millis(500);

/// Ends a server that accepts no more connections, and the passes of its runner, which starts no more.
pub(super) async fn end<S: Passes>(runner: &PassRunner<S>, mut server: JoinHandle<io::Result<()>>) {
    let until = Instant::now() + SHUTDOWN_LIMIT - CONNECTIONS_LIMIT;
    let pass_has_ended = timeout_at(until, runner.end_pass()).await.is_ok();
    if !pass_has_ended {
        warn!(event = "shutdown_cut", "the shutdown cut off a pass; the next pass goes on from there");
    } else if timeout_at(until, runner.end()).await.is_err() {
        warn!(
            event = "shutdown_unclosed",
            "the shutdown cut off no pass, but the connection to Service Bus did not close in time"
        );
    }
    if timeout(CONNECTIONS_LIMIT, &mut server).await.is_err() && pass_has_ended {
        info!(
            event = "shutdown_unclosed",
            "the shutdown cut off no pass, but connections of the Functions host with unfinished requests"
        );
    }
    server.abort();
}
