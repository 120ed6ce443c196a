//! Runs passes: one at a time, each with a deadline.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};
use tracing::error;

use super::{PassSummary, Passes};
use crate::deadline::Deadline;
use crate::error::chain;
use crate::pass::FailedPasses;

/// How long the running pass still has once a shutdown begins. The rest of [`super::SHUTDOWN_LIMIT`] is for the
/// connections.
pub(crate) const CLOSING_DEADLINE: Duration = Duration::from_secs(4);

/// How long a pass may go on after its deadline before it is cut off.
///
/// A pass drops whatever it waits for at its deadline, so one that runs this much longer hangs. With the longest deadline,
/// 260 s, it is cut off at 290 s, before the host kills the process at 300 s.
const OVERRUN: Duration = Duration::from_secs(30);

/// How much too early a tick may come: timers jitter, and a slightly early tick must not be lost.
const EARLY_TICK: Duration = Duration::from_secs(2);

/// Runs the [`Passes`] of a scaler.
pub(super) struct PassRunner<S> {
    scaler: S,
    pass_deadline: Duration,
    /// The least time from the beginning of one pass to that of the next.
    between_passes: Duration,
    /// When the last pass began.
    turn: Mutex<Option<Instant>>,
    closing: watch::Sender<bool>,
}

pub(super) enum Outcome {
    Ended(PassSummary),
    /// A pass ran and failed, for this reason, which is already logged.
    Failed(String),
    /// Another invocation's pass is running.
    AlreadyRunning,
    /// The last pass began only so long ago.
    TooSoon {
        since: Duration,
        between_passes: Duration,
    },
    /// The process is shutting down, and starts no more passes.
    Closing,
}

impl<S: Passes> PassRunner<S> {
    pub(super) fn new(scaler: S, pass_deadline: Duration, between_passes: Duration) -> Self {
        Self { scaler, pass_deadline, between_passes, turn: Mutex::default(), closing: watch::Sender::new(false) }
    }

    /// Runs a pass, if this is the time for one.
    pub(super) async fn run(&self) -> Outcome {
        if *self.closing.borrow() {
            return Outcome::Closing;
        }
        let Ok(mut began_at) = self.turn.try_lock() else { return Outcome::AlreadyRunning };
        let (now, between_passes) = (Instant::now(), self.between_passes);
        if let Some(since) = began_at.map(|at| now - at)
            && since + EARLY_TICK < between_passes
        {
            return Outcome::TooSoon { since, between_passes };
        }
        *began_at = Some(now);
        let deadline = Deadline::after(self.pass_deadline);
        let ended = tokio::select! {
            ended = self.scaler.pass(deadline.clone()) => Some(ended),
            () = overrun(&deadline) => None,
            never = self.shorten_when_closing(&deadline) => match never {},
        };
        match ended {
            Some(Ok(summary)) => Outcome::Ended(summary),
            Some(Err(failure)) => failed(chain(&failure), failure.in_a_row.as_ref()),
            None => failed(format!("it ran {} s past its deadline and was cut off", OVERRUN.as_secs()), None),
        }
    }

    async fn shorten_when_closing(&self, deadline: &Deadline) -> Infallible {
        _ = self.closing.subscribe().wait_for(|closing| *closing).await;
        deadline.shorten_to(CLOSING_DEADLINE);
        pending().await
    }

    /// Starts no more passes and asks the running one to end.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until no pass is running.
    pub(super) async fn end_pass(&self) {
        _ = self.turn.lock().await;
    }

    /// Closes what was kept for the next pass. Call it when no pass runs.
    pub(super) async fn end(&self) {
        self.scaler.close().await;
    }
}

async fn overrun(deadline: &Deadline) {
    deadline.passed().await;
    sleep(OVERRUN).await;
}

/// The host discards the answer of a failed invocation, so the reason must be in the log.
fn failed(reason: String, in_a_row: Option<&FailedPasses>) -> Outcome {
    error!(
        event = "pass_failed",
        since = in_a_row.and_then(|failed| failed.since.format(&Rfc3339).ok()),
        passes = in_a_row.map(|failed| failed.passes),
        waiting = in_a_row.map(|failed| failed.waiting),
        waiting_seconds = in_a_row.and_then(|failed| failed.waiting_seconds),
        "the pass failed: {reason}"
    );
    Outcome::Failed(reason)
}
