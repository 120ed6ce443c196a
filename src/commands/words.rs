//! How times and amounts are written for people.

use time::{Duration, OffsetDateTime};

use crate::container_group::MemoryGb;
use crate::pass::report::Cost;

/// A duration: 45 s, 12 min, 3 h 05 min, 2 d 4 h.
pub(super) fn lasting(duration: Duration) -> String {
    let seconds = duration.whole_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=3599 => format!("{minutes} min"),
        3600..=86_399 => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A time, to the second, in UTC.
pub(super) fn moment(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).unwrap_or(moment);
    moment.format(&time::format_description::well_known::Rfc3339).unwrap_or_else(|_| moment.to_string())
}

/// What was billed.
pub(super) fn cost(Cost { gb_seconds, vcpu_seconds }: Cost) -> String {
    format!("{gb_seconds} GB-seconds and {vcpu_seconds} vCPU-seconds")
}

/// What an attempt ran out of.
pub(super) fn not_enough(memory: MemoryGb) -> String {
    format!("{memory} GB were not enough")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_the_units_that_matter() {
        let said =
            [5, 119, 120, 3599, 3600, 11_100, 86_400, 187_200].map(|seconds| lasting(Duration::seconds(seconds)));
        assert_eq!(said, ["5 s", "119 s", "2 min", "59 min", "1 h 00 min", "3 h 05 min", "1 d 0 h", "2 d 4 h"]);
    }
}
