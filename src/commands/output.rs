//! Prints a command's result on the standard output.
//!
//! A reader that is gone (`plan | head`) has what it wanted and is no error. Any other failure to write (a full disk) is an error
//! with its own exit code, because the command has done its work.

use std::io::{self, ErrorKind, Write as _};

use tokio::task::spawn_blocking;

/// The result could not be written (`EX_IOERR` of BSD's sysexits.h).
pub(super) const NOT_WRITTEN: u8 = 74;

#[derive(Debug, thiserror::Error)]
#[error("the result could not be written to the standard output")]
pub(super) struct NotWritten(#[source] io::Error);

/// Prints a text as lines. If the reader is slow, signals still work.
pub(super) async fn print(text: String) -> Result<(), NotWritten> {
    let printed = spawn_blocking(move || print_now(&text)).await;
    printed.unwrap_or_else(|panicked| Err(NotWritten(io::Error::other(panicked))))
}

/// The same without a runtime.
pub(super) fn print_now(text: &str) -> Result<(), NotWritten> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(NotWritten(error)),
        _ => Ok(()),
    }
}
