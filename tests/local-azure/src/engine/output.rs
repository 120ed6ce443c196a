//! What containers print, as lines of a log.

use bollard::container::LogOutput;
use bollard::errors::Error;
use futures_util::{Stream, StreamExt as _};

use crate::container_groups::LogSink;

/// A line longer than this is split, so that a line without an end does not fill this process's memory.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Copies what a container prints to its log, until it prints no more.
pub(super) async fn copy(mut output: impl Stream<Item = Result<LogOutput, Error>> + Unpin, log: LogSink) {
    let [mut out, mut err] = [Lines::default(), Lines::default()];
    while let Some(Ok(frame)) = output.next().await {
        match frame {
            LogOutput::StdErr { message } => err.push(&message, &log),
            LogOutput::StdOut { message } | LogOutput::Console { message } => out.push(&message, &log),
            LogOutput::StdIn { .. } => {}
        }
    }
    out.end(&log);
    err.end(&log);
}

/// One stream, cut into lines.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8], log: &LogSink) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in part.chunks(MAX_LINE_BYTES) {
                if self.0.len() + piece.len() > MAX_LINE_BYTES {
                    self.end(log);
                }
                self.0.extend(piece);
            }
            if self.0.ends_with(b"\n") {
                self.end(log);
            }
        }
    }

    fn end(&mut self, log: &LogSink) {
        if !self.0.is_empty() {
            log.line(String::from_utf8_lossy(&self.0).trim_end_matches(['\r', '\n']));
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_out_whole_however_they_arrive() {
        let out = |text: &'static str| Ok(LogOutput::StdOut { message: text.into() });
        let err = |text: &'static str| Ok(LogOutput::StdErr { message: text.into() });
        let frames = [out("one\ntw"), err("three\r\n"), out("o\n\n"), err("four"), out("five")];
        let log = LogSink::default();
        copy(futures_util::stream::iter(frames), log.clone()).await;
        assert_eq!(log.lines(), ["one", "three", "two", "", "five", "four"]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_broken() {
        let log = LogSink::default();
        let frame = Ok(LogOutput::StdOut { message: vec![b'x'; 10 * 1024 * 1024].into() });
        copy(futures_util::stream::iter([frame]), log.clone()).await;
        assert_eq!(log.lines().len(), 160);
        assert!(log.lines().iter().all(|line| line.len() == MAX_LINE_BYTES));
    }
}
