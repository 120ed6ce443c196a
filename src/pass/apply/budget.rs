//! How many requests Azure still takes, as its answers say.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::sync::Mutex;

/// How long nothing is created once only a little was left: the shorter of the two windows over which Azure counts
/// (five minutes and an hour) is full again then, and of the longer one a single answer is spent to see.
const PAUSE: Duration = Duration::from_mins(5);

/// Creating rests when this little is left of what Azure allows for now, besides what the deletes of the pass take: as many
/// as may be under way already when an answer comes, and a few for another process.
pub(super) fn spare(workers: usize) -> u32 {
    u32::try_from(workers).unwrap_or(u32::MAX).saturating_add(FOR_OTHERS)
}

const FOR_OTHERS: u32 = 4;

/// Azure's limits, as far as a pass has met them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Creates and deletes that Azure takes for now, by its newest answer that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_left: Option<u32>,
    /// Creates and deletes, reads of logs for these included, that it has refused because there were too many.
    pub throttled: usize,
}

/// Remembers, from pass to pass, that creating is to rest so that cleaning up can go on.
#[derive(Debug, Default)]
pub(in crate::pass) struct Budget {
    low: Mutex<Option<(Instant, u32)>>,
    met: Mutex<Limits>,
}

impl Budget {
    /// An answer says, perhaps, how many requests are left.
    pub(super) fn saw(&self, left: Option<u32>) {
        let mut met = self.met.lock();
        met.budget_left = left.or(met.budget_left);
    }

    /// Azure has refused a request because there were too many.
    pub(super) fn throttled(&self) {
        self.met.lock().throttled += 1;
    }

    /// The limits that were met since this was last asked.
    pub(super) fn take_met(&self) -> Limits {
        std::mem::take(&mut self.met.lock())
    }

    /// Azure has said that only this many requests are left.
    pub(super) fn is_low(&self, left: u32) {
        *self.low.lock() = Some((Instant::now() + PAUSE, left));
    }

    /// How many requests were left, if creating is to rest.
    pub(super) fn resting(&self) -> Option<u32> {
        let (until, left) = (*self.low.lock())?;
        (Instant::now() < until).then_some(left)
    }
}
