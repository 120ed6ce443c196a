//! The command line of the local Azure: the demonstration, a local Azure that stays up, and messages for it.

use std::ffi::{OsStr, OsString};
use std::future::pending;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use local_azure::container_groups::Worker;
use local_azure::demo::{Demo, Story};
use local_azure::function_app::{FUNCTION, build_scaler};
use local_azure::program::Program;
use local_azure::serve::{self, PORT, SERVICE_BUS_PORT};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// What shells say of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Runs the scaler on a local Azure: without a command, from the first message to the last container group.
#[derive(Parser)]
#[command(name = "cargo local", bin_name = "cargo local", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    /// Run this binary of the scaler instead of building it
    #[arg(long, value_name = "PATH", global = true)]
    scaler: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Stay up for development, on the ports of .env
    Serve {
        /// Where Service Bus listens
        #[arg(long, value_name = "PORT", default_value_t = SERVICE_BUS_PORT)]
        service_bus_port: u16,
        /// Where Resource Manager and managed identity listen
        #[arg(long, value_name = "PORT", default_value_t = PORT)]
        port: u16,
        /// Run the scaler too, every 15 s under a Functions host
        #[arg(long)]
        host: bool,
        /// Run this program for every container group, with the group's environment, in the place of the built-in worker
        #[arg(long, value_name = "PROGRAM")]
        worker: Option<PathBuf>,
        /// An argument of the worker; may be given many times
        #[arg(long, value_name = "ARGUMENT", requires = "worker", allow_hyphen_values = true)]
        worker_arg: Vec<OsString>,
    },
    /// Send messages to a local Azure that is up
    Send {
        /// The size of the file that each is about, in MB
        #[arg(long, value_name = "MB")]
        size: u32,
        /// How many messages
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// Where Service Bus listens
        #[arg(long, value_name = "PORT", default_value_t = SERVICE_BUS_PORT)]
        service_bus_port: u16,
    },
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    let line = CommandLine::parse();
    Runtime::new()?.block_on(async {
        tokio::select! {
            ended = run(line) => ended.or_else(|failure| {
                report(&failure.to_string());
                Ok(ExitCode::FAILURE)
            }),
            // Leaving drops all that was running: the scaler is killed, and folders are removed.
            interrupted = interrupted() => interrupted.map(|()| INTERRUPTED.into()).map_err(Failure::from),
        }
    })
}

async fn run(line: CommandLine) -> Result<ExitCode, Failure> {
    match line.command {
        None => demo(line.scaler).await,
        Some(Command::Serve { service_bus_port, port, host, worker, worker_arg }) => {
            let worker: Arc<dyn Worker> = match worker {
                Some(program) => Arc::new(Program::find(&program, worker_arg, &path())?),
                None => Arc::new(serve::built_in_worker()),
            };
            let scaler = if host { Some(scaler(line.scaler).await?) } else { None };
            serve(service_bus_port, port, worker, scaler).await
        }
        Some(Command::Send { size, count, service_bus_port }) => {
            for id in serve::send(service_bus_port, size, count).await? {
                print(&format!("{id} of {size} MB is sent"));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn demo(given: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let scaler = scaler(given).await?;
    let summary = Demo::new(scaler).run(&Story::new(print)).await?;
    print(&format!("\n{summary}"));
    Ok(if summary.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(
    service_bus_port: u16,
    port: u16,
    worker: Arc<dyn Worker>,
    scaler: Option<PathBuf>,
) -> Result<ExitCode, Failure> {
    let azure = serve::start(service_bus_port, port, worker).await?;
    serve::tell_how_to_use(&azure, print);
    let story = Story::new(print);
    let host = async {
        let Some(scaler) = scaler else { return pending().await };
        let app = serve::start_host(&azure, &scaler).await?;
        let at_once = format!("curl -d '{{}}' http://{}/admin/functions/{FUNCTION}", app.host.admin_address());
        story.tell("host", &format!("runs the scaler every 15 s, and at once when asked: {at_once}"));
        serve::follow_host(&app, &story).await;
        Ok(ExitCode::SUCCESS)
    };
    tokio::select! {
        ended = host => ended,
        () = serve::follow(&azure, &story) => Ok(ExitCode::SUCCESS),
    }
}

/// The scaler that was given, or else the one that is built now.
async fn scaler(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(scaler) = given {
        return Ok(scaler);
    }
    report("building the scaler ...");
    Ok(build_scaler(&cargo()).await?)
}

/// The cargo that runs this, or else that on the PATH.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| OsStr::new("cargo").to_owned())
}

fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Waits for whatever a terminal or a supervisor ends a program with.
async fn interrupted() -> io::Result<()> {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut signals else {
        return Err(io::Error::other("signals cannot be listened for"));
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Prints a line; a reader that has gone away is no reason to stop.
fn print(line: &str) {
    _ = writeln!(io::stdout(), "{line}");
}

fn report(line: &str) {
    _ = writeln!(io::stderr(), "cargo local: {line}");
}
