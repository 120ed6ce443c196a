//! What a monitored timer remembers from one run of the host to the next.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// What .NET makes of a time that was never set; it has no offset, so it is not RFC 3339.
const NEVER: &str = "0001-01-01T00:00:00";

/// The timer's last and next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScheduleStatus {
    /// When it last fired; nothing if it never did.
    pub(super) last: Option<OffsetDateTime>,
    /// When it is due.
    pub(super) next: OffsetDateTime,
    /// When this was written.
    pub(super) last_updated: OffsetDateTime,
}

impl ScheduleStatus {
    /// As the host writes it, members in its order.
    pub(super) fn to_json(self) -> Value {
        json!({
            "Last": self.last.map_or_else(|| NEVER.to_owned(), dot_net),
            "Next": dot_net(self.next),
            "LastUpdated": dot_net(self.last_updated),
        })
    }

    fn from_json(status: &Value) -> Option<Self> {
        let at = |name: &str| OffsetDateTime::parse(status.get(name)?.as_str()?, &Rfc3339).ok();
        Some(Self { last: at("Last"), next: at("Next")?, last_updated: at("LastUpdated")? })
    }
}

/// Where a timer's status is kept, as the blob `Host.Functions.{name}/status` is in Azure.
#[derive(Clone, Debug)]
pub(super) struct StatusFile(PathBuf);

impl StatusFile {
    /// The status of a function, in this folder.
    pub(super) fn new(folder: &Path, function: &str) -> Self {
        Self(folder.join(format!("Host.Functions.{function}.status.json")))
    }

    /// The status, if there is one that can be read.
    pub(super) async fn load(&self) -> io::Result<Option<ScheduleStatus>> {
        match tokio::fs::read(&self.0).await {
            Ok(text) => Ok(serde_json::from_slice(&text).ok().and_then(|status| ScheduleStatus::from_json(&status))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the status.
    pub(super) async fn save(&self, status: ScheduleStatus) -> io::Result<()> {
        tokio::fs::write(&self.0, status.to_json().to_string()).await
    }
}

/// A time as .NET writes it: seven digits of a second at most, without zeros at their end.
fn dot_net(at: OffsetDateTime) -> String {
    let seconds = at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]")).unwrap_or_default();
    let fraction = format!(".{:07}", at.nanosecond() / 100);
    format!("{seconds}{}+00:00", fraction.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_have_as_many_digits_as_they_need_and_the_first_run_has_a_time_without_an_offset() {
        let status = ScheduleStatus {
            last: None,
            next: datetime!(2026-09-24 13:09 UTC),
            last_updated: datetime!(2026-09-24 13:08:00.0096035 UTC),
        };
        let expected = json!({
            "Last": "0001-01-01T00:00:00",
            "Next": "2026-09-24T13:09:00+00:00",
            "LastUpdated": "2026-09-24T13:08:00.0096035+00:00",
        });
        assert_eq!(status.to_json(), expected);
        assert_eq!(ScheduleStatus::from_json(&expected), Some(status));
    }
}
