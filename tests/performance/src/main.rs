//! `cargo bench -p performance`.

use std::process::ExitCode;

use clap::Parser;
use performance::{CommandLine, run};

#[tokio::main]
#[expect(clippy::print_stderr, reason = "it is how the program ends")]
async fn main() -> ExitCode {
    // reqwest needs a provider even for plain HTTP.
    _ = rustls::crypto::ring::default_provider().install_default();
    match run(CommandLine::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("performance: {error}");
            ExitCode::FAILURE
        }
    }
}
