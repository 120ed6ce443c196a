//! What a container has printed.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock;

/// The log that the service keeps of a stopped container, in bytes (Azure's page on quotas: 16 KB or 1000 lines).
pub const STOPPED_MAX_BYTES: usize = 16 * 1024;
/// The log that the service keeps of a stopped container, in lines.
pub const STOPPED_MAX_LINES: usize = 1000;
/// The log that the service keeps of a running container, in bytes (the same page: 4 MB).
pub const RUNNING_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A container's log. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct LogSink(Arc<Mutex<Vec<Line>>>);

#[derive(Clone, Debug)]
struct Line {
    at: OffsetDateTime,
    text: String,
}

/// Which part of a log is requested.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogQuery {
    /// At most this many of the last lines; all kept lines when absent.
    pub tail: Option<usize>,
    /// Whether each line begins with the time at which it was printed.
    pub timestamps: bool,
}

impl LogSink {
    /// Prints a line.
    pub fn line(&self, text: impl Into<String>) {
        let line = Line { at: clock::now(), text: text.into() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// All printed lines, even those that the service would no longer keep.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|line| line.text.clone()).collect()
    }

    /// What the service shows of the log: its end, in whole lines.
    pub fn content(&self, query: LogQuery, stopped: bool) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (max_lines, max_bytes) =
            if stopped { (STOPPED_MAX_LINES, STOPPED_MAX_BYTES) } else { (usize::MAX, RUNNING_MAX_BYTES) };
        let mut bytes = 0;
        let kept = lines.iter().rev().take(max_lines.min(query.tail.unwrap_or(usize::MAX))).take_while(|line| {
            bytes += line.text.len() + 1;
            bytes <= max_bytes
        });
        let first = lines.len() - kept.count();
        lines.iter().skip(first).fold(String::new(), |mut content, line| {
            if query.timestamps {
                let at = line.at.format(&Rfc3339).unwrap_or_default();
                _ = write!(content, "{at} ");
            }
            content.push_str(&line.text);
            content.push('\n');
            content
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: usize) -> LogSink {
        let log = LogSink::default();
        for n in 0..lines {
            log.line(format!("line {n}"));
        }
        log
    }

    #[test]
    fn a_tail_is_the_last_lines_in_order() {
        let tail = LogQuery { tail: Some(2), timestamps: false };
        assert_eq!(log(5).content(tail, true), "line 3\nline 4\n");
        assert_eq!(log(1).content(tail, true), "line 0\n");
        assert_eq!(log(0).content(tail, true), "");
    }

    #[test]
    fn a_stopped_container_keeps_1000_lines_and_16_kb() {
        let query = LogQuery::default();
        assert_eq!(log(3000).content(query, false).lines().count(), 3000);
        assert_eq!(log(3000).content(query, true).lines().count(), STOPPED_MAX_LINES);
        let wide = LogSink::default();
        for _ in 0..100 {
            wide.line("x".repeat(1023));
        }
        assert_eq!(wide.content(query, true).len(), STOPPED_MAX_BYTES);
    }

    #[test]
    fn timestamps_come_before_the_lines() {
        let content = log(1).content(LogQuery { tail: None, timestamps: true }, true);
        let (at, text) = content.split_once(' ').unwrap();
        assert!(OffsetDateTime::parse(at, &Rfc3339).is_ok(), "{at}");
        assert_eq!(text, "line 0\n");
    }
}
