//! The time of a pass.
//!
//! * It is Azure's time, from the answer with the list of groups, and goes on by the monotonic clock. Every time from which an
//!   age is measured comes from Azure, or was written by this rule.
//! * If the answer has no time, this machine's clock counts.
//! * If the two differ by more than [`MAX_DIFFERENCE`], it is unclear which is right, and no group is deleted because of its age.

use std::sync::OnceLock;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::clock::Clock;

/// Clocks that NTP keeps agree within a second. A clock that differs by minutes was set by hand, or stood still.
const MAX_DIFFERENCE: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub(super) struct PassTime<'a> {
    clock: &'a Clock,
    azure: OnceLock<Answer>,
}

/// Azure's time, and when it arrived.
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

    /// Sets Azure's time from an answer that has just arrived. It is in whole seconds; this machine's clock decides within that
    /// second.
    pub(super) fn is(&self, second: OffsetDateTime) {
        let clock = self.clock.now();
        let time = clock.clamp(second, second + Duration::from_secs(1));
        let difference = clock - time;
        let answer = self.azure.get_or_init(|| Answer { time, came_at: Instant::now(), difference });
        if self.is_doubtful() {
            tracing::warn!(
                event = "clock_differs",
                clock_ahead_seconds = answer.difference.whole_seconds(),
                "this machine's clock and Azure's differ by more than {} s: until they agree, no container group is deleted \
                 because of its age",
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
