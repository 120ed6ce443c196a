//! Makes one pass.

use std::pin::pin;
use std::process::ExitCode;

use tokio::time::sleep;

use super::FAILED;
use super::printed_pass::{AzureScaler, print_pass};
use crate::deadline::Deadline;
use crate::handler::{CLOSING_DEADLINE, SHUTDOWN_LIMIT, Signals};

/// A signal ends the pass early, so that its report says what was done; a second one ends the process at once.
pub(super) async fn once(scaler: AzureScaler, json: bool) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(event = "not_started", "signals cannot be listened for: {error}");
            return FAILED.into();
        }
    };
    let deadline = Deadline::after(scaler.pass_deadline());
    let mut pass = pin!(print_pass(scaler, json, &deadline));
    let signal = tokio::select! {
        exit_code = &mut pass => return exit_code,
        signal = signals.received() => signal,
    };
    tracing::warn!(event = "shutdown_early", "{signal} ends the pass early; the report of what it did follows");
    deadline.shorten_to(CLOSING_DEADLINE);
    let is_reported = tokio::select! {
        _ = pass => true,
        _ = signals.received() => false,
        () = sleep(SHUTDOWN_LIMIT) => false,
    };
    if !is_reported {
        tracing::warn!(
            event = "shutdown_cut",
            "the pass was cut off and has no report; the next pass goes on from there"
        );
    }
    signal.exit_code().into()
}
