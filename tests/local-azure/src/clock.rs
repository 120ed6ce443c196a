//! The one place of this crate that reads the system's clock.

use time::OffsetDateTime;

/// The time now, in UTC.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
