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

/// How long the running pass still has once a shutdown begins; what [`super::SHUTDOWN_LIMIT`] leaves is for the
/// connections.
pub(crate) const CLOSING_DEADLINE: Duration = Duration::from_secs(4);

/// How long a pass may go on after its deadline before it is cut off.
///
/// A pass drops what it waits for at its deadline, so one that goes on for this long hangs. With the longest deadline, 260 s,
/// this makes 290 s, before the host's 300 s, at which it would kill the process.
const OVERRUN: Duration = Duration::from_secs(30);

/// How early a tick may come: timers jitter, and one that comes a moment too early must not cost a whole tick.
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
    /// A pass ran and failed, for this reason; it is logged already.
    Failed(String),
    /// Another invocation's pass is running.
    AlreadyRunning,
    /// The last pass began only so long ago.
    TooSoon {
        since: Duration,
        between_passes: Duration,
    },
    /// No pass begins any more.
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
            None => failed(format!("it went on for {} s after its deadline and was cut off", OVERRUN.as_secs()), None),
        }
    }

    async fn shorten_when_closing(&self, deadline: &Deadline) -> Infallible {
        _ = self.closing.subscribe().wait_for(|closing| *closing).await;
        deadline.shorten_to(CLOSING_DEADLINE);
        pending().await
    }

    /// Lets no pass begin any more and asks the running one to end.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until no pass is running.
    pub(super) async fn end_pass(&self) {
        _ = self.turn.lock().await;
    }

    /// Ends what was left for another pass. To be called when none is running.
    pub(super) async fn end(&self) {
        self.scaler.close().await;
    }
}

async fn overrun(deadline: &Deadline) {
    deadline.passed().await;
    sleep(OVERRUN).await;
}

/// The host throws away what a failed invocation answers, so the log is where its reason is found.
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
