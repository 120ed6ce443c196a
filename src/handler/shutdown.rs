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
/// Service managers and container runtimes wait 10 s or more before they kill; half of it leaves room for them to be slow.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// What the host's connections get of it once no pass runs any more: an answer is sent in milliseconds, and who has sent half a
/// request in all this time will not send the rest.
const CONNECTIONS_LIMIT: Duration = Duration::from_millis(500);

/// Ends a server that takes no more connections, and the passes of its runner, which begins no more.
pub(super) async fn end<S: Passes>(runner: &PassRunner<S>, mut server: JoinHandle<io::Result<()>>) {
    let until = Instant::now() + SHUTDOWN_LIMIT - CONNECTIONS_LIMIT;
    let pass_has_ended = timeout_at(until, runner.end_pass()).await.is_ok();
    if !pass_has_ended {
        warn!(event = "shutdown_cut", "a pass was cut off by the shutdown; the next one goes on from what it finds");
    } else if timeout_at(until, runner.end()).await.is_err() {
        warn!(
            event = "shutdown_unclosed",
            "no pass was cut off by the shutdown, but the connection to Service Bus, which did not close in time"
        );
    }
    if timeout(CONNECTIONS_LIMIT, &mut server).await.is_err() && pass_has_ended {
        info!(
            event = "shutdown_unclosed",
            "no pass was cut off by the shutdown, but connections of the Functions host on which a request had begun"
        );
    }
    server.abort();
}
