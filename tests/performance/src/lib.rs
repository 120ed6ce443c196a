//! The cost of a pass, measured on the released binary, and how soon a message gets its group.
//!
//! `cargo bench -p performance` runs everything and prints tables; with `-- write` it also puts them, and the plots, into
//! `docs/performance.md`. `-- day` and `-- write-day` only simulate the day, `-- footprint` only checks the binary's size and the
//! number of crates, and `-- decide` runs passes without I/O, for callgrind.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod awake;
mod bound;
mod day;
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

use clap::{Parser, Subcommand};

/// Any error ends the program, which can only report it.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What to measure.
#[derive(Parser)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    /// Measure this binary instead of building the one that is released
    #[arg(long, global = true)]
    scaler: Option<PathBuf>,
    /// How often each scenario is run, but for those with recorded latencies, which are run once; the medians are shown
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
    /// Simulate the day only
    Day,
    /// Simulate the day and put it into docs/performance.md: it is the same on every machine
    WriteDay,
    /// Measure the process only: how soon it is ready, and its memory
    Process,
    /// Check the size of the binary and the number of crates
    Footprint,
    /// Make passes over 1,000 groups and 10,000 messages without I/O
    Decide,
}

/// Measures what the command line requests. Returns whether all targets are met.
pub async fn run(line: CommandLine) -> Result<bool> {
    let command = line.command.unwrap_or(Command::Print);
    match command {
        Command::Decide => return Ok(document::show(&[decide::section().await?])),
        Command::Day => return Ok(document::show(&[day::section(false)?])),
        Command::WriteDay => {
            let sections = [day::section(true)?];
            document::write(&sections)?;
            return Ok(document::show(&sections));
        }
        _ => {}
    }
    if command == Command::Write && line.only.is_some() {
        return Err("a document of some scenarios only would be no use: leave out --only, or write".into());
    }
    let scaler = match line.scaler {
        Some(path) => path.canonicalize()?,
        None => footprint::build()?,
    };
    let scenarios = || scenario::section(&scaler, line.runs, line.only.as_deref());
    Ok(match command {
        Command::Footprint => document::show(&[footprint::section(&scaler)?]),
        Command::Scenarios => document::show(&[scenarios().await?]),
        Command::Process => document::show(&[startup::section(&scaler).await?]),
        _ => {
            let write = command == Command::Write;
            let mut sections = vec![
                scenarios().await?,
                day::section(write)?,
                decide::section().await?,
                startup::section(&scaler).await?,
                growth::section(&scaler, write).await?,
                footprint::section(&scaler)?,
            ];
            sections.push(document::targets(&sections));
            if write {
                document::write(&sections)?;
            }
            document::show(&sections)
        }
    })
}
