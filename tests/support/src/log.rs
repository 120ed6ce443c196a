//! Logs of tests that run side by side in one process.

use std::sync::LazyLock;

use tracing::Dispatch;

/// Has every event reach the subscriber of its own thread, whichever thread meets the event first.
///
/// While a process has one subscriber, tracing asks that of the thread which meets an event first whether anybody wants it, and
/// keeps the answer: a thread without one would silence the event for the test that reads it. While there are two, it asks all.
pub fn keep_every_event() {
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));
    LazyLock::force(&SECOND);
}
