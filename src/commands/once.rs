//! Makes one pass.

use std::process::ExitCode;

use super::printed_pass::{AzureScaler, print_pass};
use crate::pass::Mode;

pub(super) async fn once(scaler: AzureScaler, json: bool) -> ExitCode {
    print_pass(scaler, Mode::Apply, json).await
}
