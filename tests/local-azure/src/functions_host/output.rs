//! Makes records of what a handler prints (azure-functions-host, `WorkerProcess.cs`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::records::{Level, Records};
use super::streams::{Reading, Streams};

/// The category of a handler's lines.
const CONSOLE: &str = "Host.Function.Console";
/// Lines that begin with this go to the system's log.
const SYSTEM_LOG: &str = "LanguageWorkerConsoleLog";
/// Lines that begin with this are for tools.
const TOOLING: &str = "azfuncjsonlog:";
/// How many of the last errors become part of the report of a handler's death.
const LAST_ERRORS: usize = 3;
/// How long the pipes of a dead handler are still read: a process that it left behind may keep them open.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// What one process prints.
pub(super) struct Output {
    readers: JoinSet<()>,
    last_errors: Arc<Mutex<VecDeque<String>>>,
}

impl Output {
    /// Takes the pipes of a process.
    pub(super) fn of(
        child: &mut Child,
        worker_id: &str,
        stderr_is_for_errors: bool,
        records: &Records,
        streams: &watch::Receiver<Streams>,
    ) -> Self {
        let last_errors = Arc::default();
        let lines =
            Lines { records: records.clone(), worker_id: worker_id.to_owned(), last_errors: Arc::clone(&last_errors) };
        let mut readers = JoinSet::new();
        if let Some(out) = child.stdout.take() {
            let end = End { streams: streams.clone(), of: |streams| streams.stdout };
            readers.spawn(lines.clone().read(out, |_| Level::Information, end));
        }
        if let Some(err) = child.stderr.take() {
            let end = End { streams: streams.clone(), of: |streams| streams.stderr };
            readers.spawn(lines.read(err, if stderr_is_for_errors { level_on_stderr } else { level_by_words }, end));
        }
        Self { readers, last_errors }
    }

    /// Reads the rest, and returns the last errors.
    pub(super) async fn end(mut self) -> String {
        _ = timeout(DRAIN_LIMIT, async { while self.readers.join_next().await.is_some() {} }).await;
        let errors = self.last_errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }
}

/// The reader's end of a stream.
struct End {
    streams: watch::Receiver<Streams>,
    of: fn(&Streams) -> Reading,
}

impl End {
    fn reading(&mut self) -> Reading {
        (self.of)(&self.streams.borrow_and_update())
    }

    async fn change(&mut self) {
        if self.streams.changed().await.is_err() {
            // Nothing can change it any more.
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Clone)]
struct Lines {
    records: Records,
    worker_id: String,
    last_errors: Arc<Mutex<VecDeque<String>>>,
}

impl Lines {
    async fn read(self, pipe: impl AsyncRead + Unpin, level: fn(&str) -> Level, mut end: End) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        loop {
            match end.reading() {
                Reading::Closes => return,
                Reading::Stalls => {
                    end.change().await;
                    continue;
                }
                Reading::Reads | Reading::DiskFull => {}
            }
            tokio::select! {
                // What has been read of a line stays in it.
                () = end.change() => continue,
                read = pipe.read_until(b'\n', &mut line) => if read.is_err() || line.is_empty() { return },
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            self.add(level(text), text);
            line.clear();
        }
    }

    fn add(&self, level: Level, line: &str) {
        if let Some(line) = line.strip_prefix(SYSTEM_LOG) {
            self.records.add(level, format!("Worker.HttpWorkerProcess.{}", self.worker_id), line);
        } else if let Some(line) = line.strip_prefix(TOOLING) {
            self.records.add(level, "Tooling", line);
        } else {
            self.records.add(level, CONSOLE, line);
        }
        if level == Level::Error {
            let mut errors = self.last_errors.lock().unwrap_or_else(PoisonError::into_inner);
            errors.push_back(line.to_owned());
            if errors.len() > LAST_ERRORS {
                errors.pop_front();
            }
        }
    }
}

fn level_on_stderr(line: &str) -> Level {
    if line.to_lowercase().contains("warn") { Level::Warning } else { Level::Error }
}

/// With `useStdErrorStreamForErrorsOnly` false.
fn level_by_words(line: &str) -> Level {
    let line = line.to_lowercase();
    let is_error = ["error", "fail", "severe", "unhandled exception"].iter().any(|word| line.contains(word));
    if is_error { Level::Error } else { Level::Information }
}
