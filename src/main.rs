//! The program: see [`aci_scaler::commands`].

use std::process::ExitCode;

fn main() -> ExitCode {
    aci_scaler::commands::run()
}
