//! Log lines in the form that the Functions host reads (azure-functions-host, `WorkerProcess.cs`).
//!
//! * INFO and below go to the standard output, which the host logs as Information.
//! * WARN and ERROR go to the standard error. The host takes a line there for a Warning if it contains `warn` in any case, and
//!   for an Error otherwise. So a WARN line says `WARN`, and an ERROR line never contains the word.
//! * One event is one line, whatever it contains, and so is a panic: the host makes a record of each line.
//! * Every line within an invocation has its id, whatever the directives are, because the host adds none.
//! * No event waits for a stream: a stopped reader, a closed pipe and a full disk cost lines, which are counted, and no time.
//! * No directive enables a dependency's events that contain credentials.

mod filter;
mod format;
mod missing;
mod queue;
mod writer;

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::os::fd::AsFd as Handle;
#[cfg(windows)]
use std::os::windows::io::AsHandle as Handle;
use std::panic;
use std::sync::OnceLock;

use tracing::{Level, Subscriber, error, subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

pub use self::filter::DirectiveError;
use self::format::{JsonEvents, TextFields};
pub(crate) use self::queue::LastLines;
use self::queue::{Queue, ROOM};
pub use self::writer::LogFormat;
use self::writer::Streams;

/// The target of the span around an invocation; its fields are part of every line within.
pub const INVOCATION_TARGET: &str = "aci_scaler::invocation";

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    /// Fix `LOG_LEVEL` or `RUST_LOG`.
    #[error(transparent)]
    Directive(#[from] DirectiveError),
    /// A stream, or a thread for it, cannot be created.
    #[error("the log has no stream to write to")]
    Stream(#[from] io::Error),
    /// It is set up already.
    #[error("logging is set up already")]
    AlreadyInstalled(#[from] subscriber::SetGlobalDefaultError),
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// To both streams, for the Functions host.
    ForHost,
    /// All to the standard error, because a command prints its result to the standard output.
    StandardError,
}

/// Whether [`install`] accepts these directives.
pub fn accepts(directives: &str) -> bool {
    filter::directives(directives).is_ok()
}

/// Logs to the process's streams from here on, panics included. Keep the result until the process ends.
///
/// `directives` are a level (`info`) or `tracing-subscriber`'s directives (`info,aci_scaler::azure=debug`).
pub(crate) fn install(directives: &str, format: LogFormat, output: Output) -> Result<LastLines, TelemetryError> {
    // Copies, because Rust's own standard output buffers what a stream refused.
    let err = queue(copy(&io::stderr())?, format, Level::WARN)?;
    let out = match output {
        Output::ForHost => queue(copy(&io::stdout())?, format, Level::INFO)?,
        Output::StandardError => err.clone(),
    };
    subscriber::set_global_default(subscriber(directives, format, out.clone(), err.clone())?)?;
    log_panics();
    _ = QUEUES.set([out.clone(), err.clone()]);
    Ok(LastLines(vec![out, err]))
}

/// The queues in front of the process's streams, once they exist.
static QUEUES: OnceLock<[Queue; 2]> = OnceLock::new();

/// Waits a moment, if anything reads the log, until all lines so far have left the process, so that they are not lost if it
/// ends next.
pub(crate) async fn settle() {
    for queue in QUEUES.get().into_iter().flatten() {
        queue.settle().await;
    }
}

/// The queue in front of a stream, with a line of this level to replace dropped lines.
fn queue(stream: File, format: LogFormat, level: Level) -> io::Result<Queue> {
    Queue::before(stream, ROOM, move |lines| missing::line(lines, format, level))
}

fn copy(stream: &impl Handle) -> io::Result<File> {
    #[cfg(unix)]
    let copy = stream.as_fd().try_clone_to_owned();
    #[cfg(windows)]
    let copy = stream.as_handle().try_clone_to_owned();
    copy.map(File::from)
}

/// What [`install`] installs, with other streams.
pub fn subscriber<Out, Err>(
    directives: &str,
    format: LogFormat,
    out: Out,
    err: Err,
) -> Result<impl Subscriber + Send + Sync, DirectiveError>
where
    Out: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    Err: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_ansi(false).with_writer(Streams { out, err, format });
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => lines.fmt_fields(TextFields).boxed(),
        LogFormat::Json => lines.event_format(JsonEvents).fmt_fields(JsonFields::new()).boxed(),
    };
    Ok(Registry::default().with(lines).with(filter::directives(directives)?).with(filter::caps()))
}

/// Makes a panic an ERROR line instead of several lines on the standard error.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let reason = panic.payload_as_str().unwrap_or("for an unknown reason");
        if let Some(place) = panic.location() {
            error!(event = "panicked", "panicked at {place}: {reason}");
        } else {
            error!(event = "panicked", "panicked: {reason}");
        }
    }));
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};
    use std::os::fd::OwnedFd;

    use serde_json::Value;
    use tracing::{info, subscriber::with_default};

    use super::*;

    #[test]
    fn a_reader_that_has_stopped_for_long_is_told_how_many_lines_it_has_missed() {
        const EVENTS: u64 = 20_000;
        test_support::log::keep_every_event();
        let (mut reader, writer) = pipe().unwrap();
        let queue = queue(OwnedFd::from(writer).into(), LogFormat::Json, Level::INFO).unwrap();
        let subscriber = subscriber("info", LogFormat::Json, queue.clone(), queue.clone()).unwrap();
        with_default(subscriber, || {
            for number in 0..EVENTS {
                info!(number, "an event");
            }
        });
        let closing = std::thread::spawn(move || drop(LastLines(vec![queue])));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        closing.join().unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].take());
        let (missing, numbered): (Vec<_>, Vec<_>) = lines.partition(|fields| fields["number"].is_null());
        let counts: Vec<_> = missing.iter().map(|fields| fields["lines"].as_u64().unwrap()).collect();
        assert!(!counts.is_empty(), "there was room for all");
        assert_eq!(counts.iter().sum::<u64>() + numbered.len() as u64, EVENTS);
    }
}
