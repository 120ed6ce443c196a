//! Says what a pass would do.

use std::process::ExitCode;

use super::printed_pass::{AzureScaler, print_pass};
use crate::pass::Mode;

pub(super) async fn plan(scaler: AzureScaler, json: bool) -> ExitCode {
    print_pass(scaler, Mode::PlanOnly, json).await
}
