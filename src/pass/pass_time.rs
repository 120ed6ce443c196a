//! What time it is for a pass.
//!
//! * It is Azure's time, as its list of the groups says: every moment from which an age is measured is Azure's own, or was
//!   written by this rule. From there on it goes by the monotonic clock.
//! * Only where the list does not say it, this machine's clock counts.
//! * Where the two differ by more than [`MAX_DIFFERENCE`], nobody knows which is right, and nothing is deleted for its age.

use std::sync::OnceLock;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::clock::Clock;

/// Clocks that are kept by NTP agree within a second; what differs by minutes has been set by hand, or has stood still.
const MAX_DIFFERENCE: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub(super) struct PassTime<'a> {
    clock: &'a Clock,
    azure: OnceLock<Answer>,
}

/// Azure's time, at a moment.
#[derive(Debug)]
struct Answer {
    time: OffsetDateTime,
    came_at: Instant,
    difference: time::Duration,
}

impl<'a> PassTime<'a> {
    pub(super) fn new(clock: &'a Clock) -> Self {
        Self { clock, azure: OnceLock::new() }
    }

    /// An answer of Azure's has just come, and says what time it is, to the second. What it leaves open, this machine's clock says.
    pub(super) fn is(&self, second: OffsetDateTime) {
        let clock = self.clock.now();
        let time = clock.clamp(second, second + Duration::from_secs(1));
        let difference = clock - time;
        let answer = self.azure.get_or_init(|| Answer { time, came_at: Instant::now(), difference });
        if self.is_doubtful() {
            tracing::warn!(
                event = "clock_differs",
                clock_ahead_seconds = answer.difference.whole_seconds(),
                "this machine's clock and Azure's differ by more than {} s: until they agree, no container group is deleted for \
                 its age",
                MAX_DIFFERENCE.as_secs()
            );
        }
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.azure.get().map_or_else(|| self.clock.now(), |answer| answer.time + answer.came_at.elapsed())
    }

    /// Whether this machine's clock and Azure's differ by so much that no age counts.
    pub(super) fn is_doubtful(&self) -> bool {
        self.azure.get().is_some_and(|answer| answer.difference.unsigned_abs() > MAX_DIFFERENCE)
    }
}
