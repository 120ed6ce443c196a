//! Log lines as the Functions host reads them (azure-functions-host, `WorkerProcess.cs`).
//!
//! * INFO and below go to the standard output, which the host logs as Information.
//! * WARN and ERROR go to the standard error. A line there is a Warning if it contains `warn` in any case, an Error otherwise; so
//!   a WARN line says `WARN`, and an ERROR line never contains the word.
//! * One event is one line, whatever is in it, a panic included: the host makes a record of each line.
//! * Every line within an invocation carries its id, whatever the directives are, for the host adds none.
//! * No directive lets through the events of a dependency that hold credentials.

mod filter;
mod writer;

use std::io;
use std::panic;

use tracing::{Subscriber, error, subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

pub use self::filter::DirectiveError;
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
    /// It is set up already.
    #[error("logging is set up already")]
    AlreadyInstalled(#[from] subscriber::SetGlobalDefaultError),
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// To both streams, as the Functions host reads them.
    ForHost,
    /// All to the standard error: a command's result has the standard output to itself.
    StandardError,
}

/// Whether [`install`] can do something with these directives.
pub fn accepts(directives: &str) -> bool {
    filter::directives(directives).is_ok()
}

/// Logs to the process's streams from here on, panics included.
///
/// `directives` are a level (`info`) or `tracing-subscriber`'s directives (`info,aci_scaler::azure=debug`).
pub(crate) fn install(directives: &str, format: LogFormat, output: Output) -> Result<(), TelemetryError> {
    match output {
        Output::ForHost => {
            subscriber::set_global_default(subscriber(directives, format, io::stdout, io::stderr)?)?;
        }
        Output::StandardError => {
            subscriber::set_global_default(subscriber(directives, format, io::stderr, io::stderr)?)?;
        }
    }
    log_panics();
    Ok(())
}

/// What [`install`] installs, writing to other streams.
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
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().with_current_span(false).with_span_list(true).boxed(),
    };
    Ok(Registry::default().with(lines).with(filter::directives(directives)?).with(filter::caps()))
}

/// Makes a panic an ERROR line instead of several lines on the standard error.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let reason = panic.payload_as_str().unwrap_or("for an unknown reason");
        if let Some(place) = panic.location() {
            error!("panicked at {place}: {reason}");
        } else {
            error!("panicked: {reason}");
        }
    }));
}
