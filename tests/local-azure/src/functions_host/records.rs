//! The host's log: kept, and sent to subscribers.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::clock;

/// The host's log levels, by the action that they call for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// None; only for diagnosis.
    Debug,
    /// None.
    Information,
    /// Action at some time.
    Warning,
    /// Action now.
    Error,
}

/// One line of the host's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// When it was logged.
    pub at: OffsetDateTime,
    /// Its level.
    pub level: Level,
    /// Where it comes from, such as `Host.Function.Console` or `Function.ScaleTimer.User`.
    pub category: String,
    /// What it says.
    pub message: String,
}

impl fmt::Display for LogRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.level, self.category, self.message)
    }
}

/// All records since the host was started. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Records(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    records: Vec<LogRecord>,
    followers: Vec<mpsc::UnboundedSender<LogRecord>>,
}

impl Records {
    /// The records so far.
    pub fn all(&self) -> Vec<LogRecord> {
        self.log().records.clone()
    }

    /// The records so far and those to come.
    pub fn follow(&self) -> mpsc::UnboundedReceiver<LogRecord> {
        let (follower, records) = mpsc::unbounded_channel();
        let mut log = self.log();
        for record in &log.records {
            _ = follower.send(record.clone());
        }
        log.followers.push(follower);
        records
    }

    /// The first, of those so far and those to come, whose message contains `text`; nothing if there is none in time.
    pub async fn find(&self, text: &str, limit: Duration) -> Option<LogRecord> {
        let mut records = self.follow();
        let found = async {
            loop {
                let record = records.recv().await?;
                if record.message.contains(text) {
                    return Some(record);
                }
            }
        };
        timeout(limit, found).await.ok().flatten()
    }

    pub(super) fn add(&self, level: Level, category: impl Into<String>, message: impl Into<String>) {
        let record = LogRecord { at: clock::now(), level, category: category.into(), message: message.into() };
        let mut log = self.log();
        log.followers.retain(|follower| follower.send(record.clone()).is_ok());
        log.records.push(record);
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
