//! Lines on their way to a stream that may block for any time.
//!
//! * Pushing a line never waits for the stream: the queue has a thread that writes.
//! * Lines keep their order. A line is dropped and counted if there is no room or the stream refuses it, and a line with the
//!   count replaces it as soon as the stream accepts that.
//! * A caller can wait until pushed lines are written: for a short time, and not at all while the stream is stuck.
//! * At the end, the queue waits for a second at most until its lines are written.
//!
//! `tracing-appender` has such a thread too. It counts lines and not bytes, does not report what it drops, loses refused
//! lines without counting them, and at the end prints to the very stream that may be stuck.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing_subscriber::fmt::MakeWriter;

use crate::sync::Mutex;

/// The most bytes that wait for a stream; its writer may hold as many again. A busy pass logs some 64 KiB. So there is room
/// for more than an hour of ordinary passes, in a small part of a Function App's least memory (512 MB).
pub(super) const ROOM: usize = 1 << 20;

/// How long the end of the process waits for all streams. The shutdown before it takes at most five seconds, and whoever
/// sends the signal waits ten.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// How long [`Queue::settle`] waits for a stream. A working reader takes a line in less than a millisecond.
const SETTLE_LIMIT: Duration = Duration::from_millis(100);

/// How long a writer waits for a non-blocking stream that is not ready.
const NOT_YET: Duration = Duration::from_millis(10);

/// The end that lines are pushed into.
#[derive(Clone)]
pub(super) struct Queue(Arc<Shared>);

struct Shared {
    room: usize,
    state: Mutex<State>,
    changed: Condvar,
    /// How many lines the writer has written or dropped.
    done: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// How many lines were pushed.
    pushed: u64,
    /// A caller waited for the stream in vain, and the stream has accepted nothing since.
    stuck: bool,
    closed: bool,
    /// The writer has ended.
    ended: bool,
}

/// Whole lines, and how many were dropped after them.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    dropped: usize,
    /// Of both together.
    count: u64,
}

impl Queue {
    /// A queue of this many bytes in front of a stream. `missing` makes the line that replaces a number of lines.
    pub(super) fn before(
        stream: impl Write + Send + 'static,
        room: usize,
        missing: impl Fn(usize) -> Vec<u8> + Send + 'static,
    ) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { room, state: Mutex::default(), changed: Condvar::new(), done: watch::Sender::new(0) });
        let writer = Writer { stream, missing, lost: 0, within_a_line: false };
        let queue = Self(Arc::clone(&shared));
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&shared))?;
        Ok(queue)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.0.state.lock();
        state.pushed += 1;
        let Batch { lines, dropped, count } = &mut state.waiting;
        *count += 1;
        // Otherwise a shorter line after a dropped one would come before the count.
        if *dropped > 0 || lines.len() + line.len() > self.0.room {
            *dropped += 1;
        } else {
            lines.extend_from_slice(line);
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// Waits a moment until the stream has accepted or refused all pushed lines; not at all if it is known to be stuck.
    pub(super) async fn settle(&self) {
        let (pushed, stuck) = {
            let state = self.0.state.lock();
            (state.pushed, state.stuck)
        };
        let mut done = self.0.done.subscribe();
        let settled = async { done.wait_for(|done| *done >= pushed).await.is_ok() };
        if !stuck && timeout(SETTLE_LIMIT, settled).await.is_err() {
            self.0.state.lock().stuck = true;
        }
    }

    fn close(&self) {
        self.0.state.lock().closed = true;
        self.0.changed.notify_all();
    }

    fn wait_for_end(&self, until: Instant) {
        let state = self.0.state.lock();
        let left = until.saturating_duration_since(Instant::now());
        drop(self.0.changed.wait_timeout_while(state, left, |state| !state.ended));
    }
}

/// When dropped, writes what is left in some queues, as far as there is time.
pub(crate) struct LastLines(pub(super) Vec<Queue>);

impl Drop for LastLines {
    fn drop(&mut self) {
        self.0.iter().for_each(Queue::close);
        let until = Instant::now() + LAST_WAIT;
        for queue in &self.0 {
            queue.wait_for_end(until);
        }
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Each write is one line.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    /// The next lines; `None` at the end.
    fn next(&self) -> Option<Batch> {
        let is_idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let state: MutexGuard<'_, State> = self.state.lock();
        let mut state = self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        let batch = mem::take(&mut state.waiting);
        (!batch.is_empty()).then_some(batch)
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Writes to a stream, and knows which lines are missing in it.
struct Writer<W, M> {
    stream: W,
    missing: M,
    /// Dropped lines that are not yet reported.
    lost: usize,
    /// The stream accepted only the beginning of a line.
    within_a_line: bool,
}

impl<W: Write, M: Fn(usize) -> Vec<u8>> Writer<W, M> {
    fn run(mut self, shared: &Shared) {
        while let Some(batch) = shared.next() {
            self.pass_on(&batch);
            shared.state.lock().stuck = false;
            shared.done.send_modify(|done| *done += batch.count);
        }
        shared.state.lock().ended = true;
        shared.changed.notify_all();
    }

    fn pass_on(&mut self, batch: &Batch) {
        self.say_what_is_missing();
        if self.lost == 0 {
            let written = self.write(&batch.lines);
            self.lost = count_lines(&batch.lines[written..]);
        } else {
            self.lost += count_lines(&batch.lines);
        }
        self.lost += batch.dropped;
        self.say_what_is_missing();
    }

    fn say_what_is_missing(&mut self) {
        if self.lost > 0 {
            let line = (self.missing)(self.lost);
            if self.write(&line) == line.len() {
                self.lost = 0;
            }
        }
    }

    /// How many bytes of whole lines the stream accepted: all, unless it refuses.
    fn write(&mut self, lines: &[u8]) -> usize {
        let mut written = 0;
        if self.within_a_line && !lines.is_empty() && self.stream.write_all(b"\n").is_ok() {
            self.within_a_line = false;
        }
        while written < lines.len() && !self.within_a_line {
            match self.stream.write(&lines[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(NOT_YET),
                Err(_) => break,
            }
        }
        self.within_a_line |= written > 0 && lines[written - 1] != b'\n';
        written
    }
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

#[cfg(test)]
mod tests;
