//! How many creates and deletes Azure still accepts, according to its answers.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::sync::Mutex;

/// How long creating pauses once the budget is low. Azure counts over five minutes and over an hour. After this pause the
/// shorter window is full again, and one create shows how much is left of the longer one.
const PAUSE: Duration = Duration::from_mins(5);

/// How many requests to leave for another process, such as the one that a deployment replaces.
const FOR_OTHERS: u32 = 4;

/// Creating pauses when no more than this is left, besides what the deletes of the pass take: as many requests as may be
/// under way when an answer arrives, and a few for another process.
pub(super) fn spare(workers: usize) -> u32 {
    u32::try_from(workers).unwrap_or(u32::MAX).saturating_add(FOR_OTHERS)
}

/// Azure's limits, as far as a pass met them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// How many creates and deletes Azure still accepts, according to the newest answer that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_left: Option<u32>,
    /// How many creates and deletes, including reads of logs before deletes, Azure throttled.
    pub throttled: usize,
}

/// Remembers, from pass to pass, that creating is paused so that deletes can go on.
#[derive(Debug, Default)]
pub(in crate::pass) struct Budget {
    low: Mutex<Option<(Instant, u32)>>,
    met: Mutex<Limits>,
}

impl Budget {
    /// Notes how many requests are left, if an answer says so.
    pub(super) fn saw(&self, left: Option<u32>) {
        let mut met = self.met.lock();
        met.budget_left = left.or(met.budget_left);
    }

    /// Counts a request that Azure throttled.
    pub(super) fn throttled(&self) {
        self.met.lock().throttled += 1;
    }

    /// The limits that were met since the last call.
    pub(super) fn take_met(&self) -> Limits {
        std::mem::take(&mut self.met.lock())
    }

    /// Pauses creating, because only this many requests are left.
    pub(super) fn is_low(&self, left: u32) {
        *self.low.lock() = Some((Instant::now() + PAUSE, left));
    }

    /// How many requests were left, if creating is paused.
    pub(super) fn resting(&self) -> Option<u32> {
        let (until, left) = (*self.low.lock())?;
        (Instant::now() < until).then_some(left)
    }
}
