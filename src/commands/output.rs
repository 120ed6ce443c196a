//! What a command prints: its result, on the standard output. All of it goes through here.
//!
//! A reader that has gone (`plan | head`) has what it wanted, and changes nothing. What cannot be written for another reason (a full
//! disk) is an error with an exit code of its own, since what the command did, it did.

use std::io::{self, ErrorKind, Write as _};

use tokio::task::spawn_blocking;

/// The result could not be written (`EX_IOERR` of BSD's sysexits.h).
pub(super) const NOT_WRITTEN: u8 = 74;

#[derive(Debug, thiserror::Error)]
#[error("the result could not be written to the standard output")]
pub(super) struct NotWritten(#[source] io::Error);

/// Prints a text as lines. A reader may take its time: meanwhile, signals are heard.
pub(super) async fn print(text: String) -> Result<(), NotWritten> {
    let printed = spawn_blocking(move || print_now(&text)).await;
    printed.unwrap_or_else(|panicked| Err(NotWritten(io::Error::other(panicked))))
}

/// The same where no runtime is.
pub(super) fn print_now(text: &str) -> Result<(), NotWritten> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(NotWritten(error)),
        _ => Ok(()),
    }
}
