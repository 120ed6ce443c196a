//! The command line: serve the Functions host, or make one pass, or say what one would do, or check the settings.

mod check;
mod once;
mod output;
mod plan;
mod printed_pass;
mod serve;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::azure;
use crate::clock::Clock;
use crate::error::chain;
use crate::pass::Scaler;
use crate::settings::{LogSettings, ProcessEnvironment, Settings, load_dot_env, unknown_settings};
use crate::telemetry::{self, Output};
use output::NOT_WRITTEN;

/// The settings or the command line are wrong (`EX_USAGE` of BSD's sysexits.h).
const USAGE: u8 = 64;

/// What was asked for failed.
const FAILED: u8 = 1;

/// What was asked for was done in part.
const PARTLY_FAILED: u8 = 2;

/// Gives every waiting Service Bus message its own right-sized Azure Container Instance, and takes finished ones away.
///
/// Settings are environment variables; a file named .env in the working directory may add to them.
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, PartialEq, Eq, Subcommand)]
enum Command {
    /// Serve the Functions host on the port that it names (the default)
    Serve,
    /// Make one pass and print its report
    Once {
        /// Print the whole report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what a pass would do, and do nothing
    Plan {
        /// Print the whole report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say of each service whether the scaler can read it
    Check,
}

/// Does what the process's command line asks for. To be called before any other thread is started.
pub fn run() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command.unwrap_or(Command::Serve),
        Err(error) if error.use_stderr() => {
            // Nothing is to be done if nobody listens.
            _ = error.print();
            return USAGE.into();
        }
        Err(help) => return print_help(&help.render().to_string()),
    };
    // Before any thread is started: it may add to the process's environment.
    let dot_env = load_dot_env(Path::new(".env"));
    let environment = ProcessEnvironment::read();
    let _last_lines = match start_logging(command, &environment) {
        Ok(last_lines) => last_lines,
        Err(error) => {
            // There is no log yet, and nothing to be done if nobody listens.
            _ = writeln!(io::stderr(), "aci-scaler: {}", chain(&error));
            return USAGE.into();
        }
    };
    if let Err(error) = dot_env {
        tracing::error!(event = "setting_error", "{error}");
        return USAGE.into();
    }
    let Some(settings) = read_settings(&environment) else { return USAGE.into() };

    // One thread: a pass waits for the services and computes for milliseconds. More of them cost memory, and time in the
    // static binary's allocator, which takes a lock.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let exit_code = runtime.block_on(execute(command, &settings, &environment));
            // To drop it would be to wait for the look-up of a name that nobody needs any more, for as long as the resolver
            // likes: longer than a shutdown may take.
            runtime.shutdown_background();
            exit_code
        }
        Err(error) => {
            tracing::error!(event = "not_started", "the runtime could not be started: {error}");
            FAILED.into()
        }
    }
}

/// Prints what was asked for instead of a command: the help or the version.
fn print_help(text: &str) -> ExitCode {
    match output::print_now(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(io::stderr(), "aci-scaler: {}", chain(&error));
            NOT_WRITTEN.into()
        }
    }
}

fn start_logging(
    command: Command,
    environment: &ProcessEnvironment,
) -> Result<telemetry::LastLines, telemetry::TelemetryError> {
    // If these settings are wrong, that is reported with what is wrong in all others.
    let logs = LogSettings::from_environment(environment).unwrap_or_default();
    let output = if command == Command::Serve { Output::ForHost } else { Output::StandardError };
    telemetry::install(&logs.directives, logs.format, output)
}

/// The settings, unless something is wrong with them, which is logged.
fn read_settings(environment: &ProcessEnvironment) -> Option<Settings> {
    for warning in unknown_settings(environment) {
        tracing::warn!(event = "setting_warning", "{warning}");
    }
    match Settings::from_environment(environment) {
        Ok(settings) => Some(settings),
        Err(errors) => {
            for error in errors.iter() {
                tracing::error!(event = "setting_error", "{error}");
            }
            None
        }
    }
}

async fn execute(command: Command, settings: &Settings, environment: &ProcessEnvironment) -> ExitCode {
    if command == Command::Serve {
        return serve::serve(settings, environment).await;
    }
    let clock = Clock::system();
    let services = match azure::services(settings, environment, &clock) {
        Ok(services) => services,
        Err(error) => {
            tracing::error!(event = "not_started", "{error}");
            return FAILED.into();
        }
    };
    match command {
        Command::Check => check::check(&services, settings).await,
        Command::Plan { json } => plan::plan(Scaler::new(services, settings, clock), json).await,
        Command::Once { json } => once::once(Scaler::new(services, settings, clock), json).await,
        Command::Serve => unreachable!("it is served above"),
    }
}
