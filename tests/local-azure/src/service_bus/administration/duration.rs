//! Durations of ISO 8601, as far as the service uses them: days, hours, minutes and seconds.

use time::Duration;

/// What the service writes for "forever", and what its clients send for it.
const FOR_EVER: &str = "P10675199DT2H48M5.4775807S";

/// Writes a duration; `None` means forever.
pub(super) fn format(duration: Option<Duration>) -> String {
    let Some(duration) = duration else { return FOR_EVER.to_owned() };
    let seconds = duration.as_seconds_f64();
    format!("PT{seconds}S")
}

/// Reads a duration; `None` means forever. Anything else is an error.
pub(super) fn parse(text: &str) -> Result<Option<Duration>, InvalidDuration> {
    let (days, rest) = text.strip_prefix('P').ok_or(InvalidDuration)?.split_once('T').unwrap_or((&text[1..], ""));
    let mut total = Duration::ZERO;
    for (part, units) in [(days, &DAYS[..]), (rest, &TIMES[..])] {
        let mut part = part;
        for (unit, seconds) in units {
            let Some((number, after)) = part.split_once(*unit) else { continue };
            let number: f64 = number.parse().map_err(|_| InvalidDuration)?;
            total += Duration::checked_seconds_f64(number * seconds).ok_or(InvalidDuration)?;
            part = after;
        }
        if !part.is_empty() {
            return Err(InvalidDuration);
        }
    }
    Ok((total.whole_days() < MAX_DAYS).then_some(total))
}

/// The text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidDuration;

const DAYS: [(char, f64); 1] = [('D', 86_400.0)];
const TIMES: [(char, f64); 3] = [('H', 3_600.0), ('M', 60.0), ('S', 1.0)];

/// The longest duration of .NET in whole days, which means "forever" to the service.
const MAX_DAYS: i64 = 10_675_199;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_write_is_read() {
        for (text, seconds) in [("PT30S", 30.0), ("PT1M", 60.0), ("P1DT2H3M4.5S", 93_784.5), ("P14D", 1_209_600.0)] {
            assert_eq!(parse(text), Ok(Some(Duration::seconds_f64(seconds))), "{text}");
        }
        assert_eq!(parse(FOR_EVER), Ok(None));
        assert_eq!(parse(&format(Some(Duration::milliseconds(1_500)))), Ok(Some(Duration::milliseconds(1_500))));
        for text in ["", "30", "PT", "P1X", "PTxS", "PT1S2M", "P1H"] {
            let read = parse(text);
            assert!(read == Err(InvalidDuration) || text == "PT", "{text}: {read:?}");
        }
    }
}
