//! What a pass of the scaler costs, measured on the binary that is released.
//!
//! `cargo bench -p performance` runs everything and prints tables; with `-- write` it also puts them, and the plot of how
//! costs grow, into `docs/performance.md`. `-- footprint` only checks the binary's size and the number of crates, and
//! `-- decide` makes passes without I/O, for callgrind.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod bound;
mod decide;
mod document;
mod footprint;
mod growth;
mod measure;
mod plot;
mod process;
mod scenario;
mod startup;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Whatever goes wrong ends the program: there is nobody to tell but the reader.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    /// Measure this binary instead of building the one that is released
    #[arg(long, global = true)]
    scaler: Option<PathBuf>,
    /// How often each scenario is run; the medians are shown
    #[arg(long, global = true, default_value_t = 3)]
    runs: usize,
    /// Only the scenarios whose name contains this
    #[arg(long, global = true)]
    only: Option<String>,
    /// What `cargo bench` passes to every program
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Subcommand)]
enum Command {
    /// Measure everything and print it (the default)
    Print,
    /// Measure everything and put it into docs/performance.md
    Write,
    /// Run the scenarios only
    Scenarios,
    /// Check the size of the binary and the number of crates
    Footprint,
    /// Make passes over 1,000 groups and 10,000 messages without I/O
    Decide,
}

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

/// Whether all targets are met.
async fn run(line: CommandLine) -> Result<bool> {
    let command = line.command.unwrap_or(Command::Print);
    if command == Command::Decide {
        return Ok(document::show(&[decide::section().await?]));
    }
    let scaler = match line.scaler {
        Some(path) => path.canonicalize()?,
        None => footprint::build()?,
    };
    let scenarios = || scenario::section(&scaler, line.runs, line.only.as_deref());
    Ok(match command {
        Command::Footprint => document::show(&[footprint::section(&scaler)?]),
        Command::Scenarios => document::show(&[scenarios().await?]),
        _ => {
            let sections = [
                scenarios().await?,
                decide::section().await?,
                startup::section(&scaler).await?,
                growth::section(&scaler, command == Command::Write).await?,
                footprint::section(&scaler)?,
            ];
            if command == Command::Write {
                document::write(&sections)?;
            }
            document::show(&sections)
        }
    })
}
