//! Says what a pass would do.

use std::process::ExitCode;

use super::printed_pass::{AzureScaler, print_pass};
use crate::deadline::Deadline;
use crate::pass::Mode;

pub(super) async fn plan(scaler: AzureScaler, json: bool) -> ExitCode {
    let deadline = Deadline::after(scaler.pass_deadline());
    print_pass(scaler, Mode::PlanOnly, json, &deadline).await
}
