//! When a message is tried again.

use time::{Duration, OffsetDateTime};

use crate::plan::memory::Attempt;
use crate::plan::policy::Rules;

/// The longest wait between two attempts: half an hour makes 48 containers a day for a message that always fails.
pub(in crate::plan) const MAX_BACKOFF: Duration = Duration::minutes(30);

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum Next {
    /// Another attempt, now.
    Due,
    BackingOff {
        until: OffsetDateTime,
    },
    /// Nothing: all attempts are used up.
    Parked,
}

/// What follows the last attempt at a message.
pub(in crate::plan) fn next(last: &Attempt, rules: &Rules, now: OffsetDateTime) -> Next {
    if last.number >= rules.max_attempts {
        return Next::Parked;
    }
    let until = last.ended_at + backoff(rules.retry_backoff, last.number);
    if now < until { Next::BackingOff { until } } else { Next::Due }
}

/// The wait after the nth attempt. It doubles each time, up to [`MAX_BACKOFF`], or to the first wait if that is longer.
pub(super) fn backoff(first: Duration, attempt: u32) -> Duration {
    let doubled = 2_i32.checked_pow(attempt.saturating_sub(1)).and_then(|factor| first.checked_mul(factor));
    doubled.unwrap_or(Duration::MAX).min(MAX_BACKOFF.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_half_an_hour() {
        let minutes: Vec<_> = [1, 2, 3, 4, 5, 6, 7, 31, 32, 33, 999]
            .map(|attempt| backoff(Duration::minutes(1), attempt).whole_minutes())
            .to_vec();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30]);
        assert_eq!(backoff(Duration::hours(2), 3), Duration::hours(2));
    }
}
