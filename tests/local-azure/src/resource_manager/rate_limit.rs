//! How many container groups may be created and deleted.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::answer::Answer;

const FIVE_MINUTES: Duration = Duration::from_mins(5);
const HOUR: Duration = Duration::from_hours(1);

/// How many container groups may be created and deleted in a subscription and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// In any 5 minutes.
    pub per_5_minutes: usize,
    /// In any hour.
    pub per_hour: usize,
}

impl Default for RateLimit {
    /// The limits in recorded answers of a larger subscription; a new one has 100 and 300.
    fn default() -> Self {
        Self { per_5_minutes: 900, per_hour: 1800 }
    }
}

/// The creates and deletes of the last hour, including refused ones. All use the same counters, as recorded answers show.
#[derive(Debug)]
pub(super) struct RateLimiter {
    limit: RateLimit,
    taken: VecDeque<Instant>,
}

impl RateLimiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, taken: VecDeque::new() }
    }

    /// Counts a request, or refuses it if nothing is left.
    pub(super) fn admit(&mut self) -> Result<(), Answer> {
        if let Some(wait) = self.exhausted() {
            return Err(self.mark(Answer::too_many_requests(wait)));
        }
        self.take();
        Ok(())
    }

    /// How long nothing will be left, if nothing is left.
    pub(super) fn exhausted(&self) -> Option<Duration> {
        let now = Instant::now();
        let wait = |window, limit| {
            let taken = self.taken_within(window, now);
            let oldest = self.taken.get(self.taken.len() - taken);
            (taken >= limit).then(|| oldest.map_or(window, |oldest| window.saturating_sub(now - *oldest)))
        };
        wait(FIVE_MINUTES, self.limit.per_5_minutes).max(wait(HOUR, self.limit.per_hour))
    }

    /// Changes the limits; earlier requests still count.
    pub(super) fn limit(&mut self, limit: RateLimit) {
        self.limit = limit;
    }

    /// Counts one create or delete.
    pub(super) fn take(&mut self) {
        let now = Instant::now();
        while self.taken.front().is_some_and(|taken| now - *taken >= HOUR) {
            self.taken.pop_front();
        }
        self.taken.push_back(now);
    }

    /// Adds to an answer how much is left, unless it already says so.
    pub(super) fn mark(&self, answer: Answer) -> Answer {
        let now = Instant::now();
        let left = |window, limit: usize| limit.saturating_sub(self.taken_within(window, now)).to_string();
        answer
            .default_header(
                "x-ms-ratelimit-remaining-subscription-resource-requests-pt1h",
                left(HOUR, self.limit.per_hour),
            )
            .default_header(
                "x-ms-ratelimit-remaining-subscription-resource-requests-pt5m",
                left(FIVE_MINUTES, self.limit.per_5_minutes),
            )
    }

    fn taken_within(&self, window: Duration, now: Instant) -> usize {
        self.taken.iter().rev().take_while(|taken| now - **taken < window).count()
    }
}
