//! The command line: serve the Functions host, or make one pass, or say what one would do, why a message waits, or what keeps the scaler
//! from working, or have messages tried again.

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

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Serve the Functions host on the port that it names (the default)
    Serve,
    /// Make one pass and print its report
    Once {
        /// Print the whole report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what a pass would do, message by message, and do nothing
    Plan(plan::Arguments),
    /// Say why a message waits, what has been tried, and what can be done
    Explain(explain::Arguments),
    /// Start the count of attempts at messages again, so that the next pass tries them at once
    Retry(retry::Arguments),
    /// Say what keeps the scaler from working, and what to do about it
    Check(check::Arguments),
}

impl Command {
    /// The deployed app whose settings are to be taken, if any.
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
    // Before any thread is started: it may add to the process's environment. What is for a local run is not for a deployed app.
    let dot_env = if command.app().is_none() { load_dot_env(Path::new(".env")) } else { Ok(()) };
    let environment = ProcessEnvironment::read();
    let _last_lines = match start_logging(&command, &environment) {
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

    // One thread: a pass waits for the services and computes for milliseconds. More of them cost memory, and time in the
    // static binary's allocator, which takes a lock.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let exit_code = runtime.block_on(with_settings(command, &environment));
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

/// Does what is asked for with the settings of this process or, if one is named, of a deployed app.
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
    command: &Command,
    environment: &ProcessEnvironment,
) -> Result<telemetry::LastLines, telemetry::TelemetryError> {
    // If these settings are wrong, that is reported with what is wrong in all others.
    let logs = LogSettings::from_environment(environment).unwrap_or_default();
    let output = if matches!(command, Command::Serve) { Output::ForHost } else { Output::StandardError };
    telemetry::install(&logs.directives, logs.format, output)
}

/// The settings, unless something is wrong with them, which is logged.
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

/// `environment` is where the settings are from, `own` is who asks.
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
