//! The command line: serve the Functions host, make one pass, say what a pass would do, why a message waits, or what keeps
//! the scaler from working, or have messages retried.

mod cause;
mod check;
mod explain;
mod from_app;
mod once;
mod output;
mod plan;
mod printed_pass;
mod retry;
mod serve;
mod table;
mod words;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::azure;
use crate::clock::Clock;
use crate::error::chain;
use crate::pass::Scaler;
use crate::settings::{Environment, LogSettings, ProcessEnvironment, Settings, load_dot_env, unknown_settings};
use crate::telemetry::{self, Output};
use from_app::App;
use output::NOT_WRITTEN;
use printed_pass::AzureScaler;

/// The settings or the command line are wrong (`EX_USAGE` of BSD's sysexits.h).
const USAGE: u8 = 64;

/// The command failed.
const FAILED: u8 = 1;

/// The command failed in part.
const PARTLY_FAILED: u8 = 2;

/// Starts one right-sized Azure Container Instance for every waiting Service Bus message, and deletes it when it has finished.
///
/// Settings are environment variables; a file named .env in the working directory may add to them.
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Serve the Functions host, on the port that it chose (the default)
    Serve,
    /// Make one pass and print its report
    Once {
        /// Print the whole report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what a pass would do, message by message, and change nothing
    Plan(plan::Arguments),
    /// Say why a message waits, what was tried, and what you can do
    Explain(explain::Arguments),
    /// Start the count of attempts at messages again, so that the next pass tries them at once
    Retry(retry::Arguments),
    /// Say what keeps the scaler from working, and what to do about it
    Check(check::Arguments),
}

impl Command {
    /// The deployed app to take the settings from, if any.
    fn app(&self) -> Option<&App> {
        let app = match self {
            Self::Serve | Self::Once { .. } => return None,
            Self::Plan(arguments) => &arguments.app,
            Self::Explain(arguments) => &arguments.app,
            Self::Retry(arguments) => &arguments.app,
            Self::Check(arguments) => &arguments.app,
        };
        app.is_named().then_some(app)
    }
}

/// Runs the command on the process's command line. Call it before any other thread starts.
pub fn run() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command.unwrap_or(Command::Serve),
        Err(error) if error.use_stderr() => {
            // If it cannot be printed, nothing else can.
            _ = error.print();
            return USAGE.into();
        }
        Err(help) => return print_help(&help.render().to_string()),
    };
    // Before any thread starts, because it may add to the process's environment. A deployed app's settings do not need it.
    let dot_env = if command.app().is_none() { load_dot_env(Path::new(".env")) } else { Ok(()) };
    let environment = ProcessEnvironment::read();
    let _last_lines = match start_logging(&command, &environment) {
        Ok(last_lines) => last_lines,
        Err(error) => {
            // There is no log yet. If it cannot be printed, nothing else can.
            _ = writeln!(io::stderr(), "aci-scaler: {}", chain(&error));
            return USAGE.into();
        }
    };
    if let Err(error) = dot_env {
        tracing::error!(event = "setting_error", "{error}");
        return USAGE.into();
    }

    // One thread: a pass waits for the services and computes for milliseconds. More threads cost memory, and time in the static
    // binary's allocator, which takes a lock.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let exit_code = runtime.block_on(with_settings(command, &environment));
            // Dropping it would wait for name look-ups that nothing needs any longer, which may take longer than a shutdown.
            runtime.shutdown_background();
            exit_code
        }
        Err(error) => {
            tracing::error!(event = "not_started", "the runtime could not be started: {error}");
            FAILED.into()
        }
    }
}

/// Runs the command with the settings of this process or, if one is named, of a deployed app.
async fn with_settings(command: Command, own: &ProcessEnvironment) -> ExitCode {
    let of_app = match command.app() {
        Some(app) => match app.settings(own).await {
            Ok(settings) => settings,
            Err(exit_code) => return exit_code,
        },
        None => None,
    };
    match &of_app {
        Some(of_app) => match read_settings(of_app) {
            Some(settings) => Box::pin(execute(command, &settings, of_app, own)).await,
            None => USAGE.into(),
        },
        None => match read_settings(own) {
            Some(settings) => Box::pin(execute(command, &settings, own, own)).await,
            None => USAGE.into(),
        },
    }
}

/// Prints the help or the version.
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
    command: &Command,
    environment: &ProcessEnvironment,
) -> Result<telemetry::LastLines, telemetry::TelemetryError> {
    // Errors in these settings are reported together with the errors in all others.
    let logs = LogSettings::from_environment(environment).unwrap_or_default();
    let output = if matches!(command, Command::Serve) { Output::ForHost } else { Output::StandardError };
    telemetry::install(&logs.directives, logs.format, output)
}

/// The settings, or `None` if they have errors, which are logged.
fn read_settings(environment: &impl Environment) -> Option<Settings> {
    for warning in unknown_settings(environment) {
        tracing::warn!(event = "setting_warning", "{warning}");
    }
    match Settings::from_environment(environment) {
        Ok(settings) => {
            for warning in &settings.group.warnings {
                tracing::warn!(event = "setting_warning", "{warning}");
            }
            Some(settings)
        }
        Err(errors) => {
            for error in errors.iter() {
                tracing::error!(event = "setting_error", "{error}");
            }
            None
        }
    }
}

/// `environment` is where the settings come from, `own` is this process.
async fn execute(
    command: Command,
    settings: &Settings,
    environment: &impl Environment,
    own: &ProcessEnvironment,
) -> ExitCode {
    if matches!(command, Command::Serve) {
        return serve::serve(settings, own).await;
    }
    let clock = Clock::system();
    let (services, diagnosis) = match azure::services_and_diagnosis(settings, own, &clock) {
        Ok(both) => both,
        Err(error) => {
            tracing::error!(event = "not_started", "{error}");
            return FAILED.into();
        }
    };
    match command {
        Command::Check(arguments) => check::check(&services, &diagnosis, settings, environment, &arguments).await,
        Command::Plan(arguments) => plan::plan(Scaler::new(services, settings, clock), &arguments).await,
        Command::Explain(arguments) => match scaler_of_its_own(settings, own) {
            Ok(scaler) => explain::explain(scaler, &services, settings, &arguments).await,
            Err(exit_code) => exit_code,
        },
        Command::Retry(arguments) => match scaler_of_its_own(settings, own) {
            Ok(scaler) => retry::retry(scaler, &services, settings.processing.max_attempts.get(), &arguments).await,
            Err(exit_code) => exit_code,
        },
        Command::Once { json } => once::once(Scaler::new(services, settings, clock), json).await,
        Command::Serve => unreachable!("it is served above"),
    }
}

/// A scaler with services that nobody else uses: a pass has its own ideas of what to read.
fn scaler_of_its_own(settings: &Settings, own: &ProcessEnvironment) -> Result<AzureScaler, ExitCode> {
    let clock = Clock::system();
    match azure::services(settings, own, &clock) {
        Ok(services) => Ok(Scaler::new(services, settings, clock)),
        Err(error) => {
            tracing::error!(event = "not_started", "{error}");
            Err(FAILED.into())
        }
    }
}
