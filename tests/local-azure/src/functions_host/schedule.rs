//! When a timer fires: an NCRONTAB expression, in UTC, or an interval.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use time::OffsetDateTime;

/// What croner accepts and NCRONTAB does not: nicknames, the nth weekday of a month, no value. (croner's `L` and `W` are letters of
/// names too and pass.)
const NOT_IN_NCRONTAB: [char; 4] = ['@', '#', '?', '+'];

/// The schedule of a timer.
#[derive(Clone, Debug)]
pub(super) enum Schedule {
    /// Five fields, or six, the first of which is for seconds.
    Cron(Box<Cron>),
    /// This long after the last.
    Every(Duration),
}

impl Schedule {
    /// Parses the schedule in `function.json`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(interval) = time_span(text) {
            return if interval.is_zero() {
                Err(format!("`{text}` is no interval"))
            } else {
                Ok(Self::Every(interval))
            };
        }
        let invalid = |reason: &dyn std::fmt::Display| format!("`{text}` is no schedule: {reason}");
        if text.contains(NOT_IN_NCRONTAB) {
            return Err(invalid(&"NCRONTAB knows digits, names, `*`, `,`, `-` and `/`"));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .sloppy_ranges(true)
            .build();
        parser.parse(text).map(|cron| Self::Cron(Box::new(cron))).map_err(|error| invalid(&error))
    }

    /// The first moment after this one at which the timer fires; nothing if it never does.
    pub(super) fn next(&self, after: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::Every(interval) => Some(after + *interval),
            Self::Cron(cron) => {
                let after = DateTime::<Utc>::from_timestamp(after.unix_timestamp(), 0)?;
                let next = cron.find_next_occurrence(&after, false).ok()?;
                OffsetDateTime::from_unix_timestamp(next.timestamp()).ok()
            }
        }
    }

    /// Whether two of the next few occurrences are less than a minute apart. Such a schedule is never monitored (`TimerSchedule.cs`).
    pub(super) fn is_finer_than_a_minute(&self, from: OffsetDateTime) -> bool {
        let times: Vec<_> = std::iter::successors(self.next(from), |at| self.next(*at)).take(6).collect();
        times.windows(2).any(|pair| pair[1] - pair[0] < time::Duration::MINUTE)
    }

    /// What the host tells the handler: true for an expression, false for an interval.
    pub(super) fn adjusts_for_dst(&self) -> bool {
        matches!(self, Self::Cron(_))
    }
}

/// A .NET `TimeSpan`: `[d.]hh:mm[:ss[.fffffff]]`.
pub(super) fn time_span(text: &str) -> Option<Duration> {
    let (hours, rest) = text.trim().split_once(':')?;
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
    let whole = |text: &str, below: u64| u64::from_str(text).ok().filter(|number| *number < below);
    let seconds = f64::from_str(seconds).ok().filter(|seconds| (0.0..60.0).contains(seconds))?;
    let minutes = (whole(days, 1_000_000)? * 24 + whole(hours, 24)?) * 60 + whole(minutes, 60)?;
    Some(Duration::from_secs(minutes * 60) + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn six_fields_begin_with_the_second_and_five_with_the_minute() {
        let now = datetime!(2026-09-24 13:08:00.009 UTC);
        for (text, next) in [
            ("0 * * * * *", datetime!(2026-09-24 13:09 UTC)),
            ("* * * * *", datetime!(2026-09-24 13:09 UTC)),
            ("*/10 * * * * *", datetime!(2026-09-24 13:08:10 UTC)),
            ("0 0/5 * * * *", datetime!(2026-09-24 13:10 UTC)),
            ("0 30 9 * * Mon-Fri", datetime!(2026-09-25 09:30 UTC)),
            ("0 0 0 * * 0", datetime!(2026-09-27 00:00 UTC)),
            ("0 0 0 13 * Fri", datetime!(2026-11-13 00:00 UTC)),
            ("00:00:30", datetime!(2026-09-24 13:08:30.009 UTC)),
        ] {
            assert_eq!(Schedule::parse(text).unwrap().next(now), Some(next), "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_the_text() {
        for text in ["", "every minute", "60 * * * * *", "* * * *", "0 0 0 1 1 * 2030", "@daily", "00:00:00"] {
            let error = Schedule::parse(text).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_schedule_that_never_comes_has_no_next() {
        assert_eq!(Schedule::parse("0 0 0 30 2 *").unwrap().next(datetime!(2026-01-01 00:00 UTC)), None);
    }

    #[test]
    fn a_schedule_is_finer_than_a_minute_by_its_seconds() {
        let now = datetime!(2026-09-24 13:08 UTC);
        assert!(!Schedule::parse("0 * * * * *").unwrap().is_finer_than_a_minute(now));
        assert!(Schedule::parse("0,30 * * * * *").unwrap().is_finer_than_a_minute(now));
        assert!(Schedule::parse("00:00:59").unwrap().is_finer_than_a_minute(now));
    }

    #[test]
    fn a_time_span_has_hours_and_minutes_at_least() {
        assert_eq!(time_span("00:05:00"), Some(Duration::from_mins(5)));
        assert_eq!(time_span("1.02:00"), Some(Duration::from_hours(26)));
        assert_eq!(time_span("00:00:01.5"), Some(Duration::from_millis(1500)));
        for text in ["-1", "300", "24:00:00", "00:60", "a:b"] {
            assert_eq!(time_span(text), None, "{text}");
        }
    }
}
