//! The command line of the local Azure: the demonstration, a local Azure that stays up, and messages for it.

mod interrupt;

use std::ffi::{OsStr, OsString};
use std::future::pending;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};
use local_azure::demo::{Demo, Story};
use local_azure::engine::{DockerEngine, EngineConfig, EngineError};
use local_azure::function_app::{FUNCTION, build_scaler};
use local_azure::local::IMAGE;
use local_azure::program::Program;
use local_azure::serve::{self, PORT, Runs, SERVICE_BUS_PORT};
use tokio::runtime::Runtime;

/// The exit code of a program that Ctrl-C ended, by the shell's convention.
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
    /// Run the images of container groups instead of the built-in worker
    #[arg(long, value_name = "ENGINE", global = true)]
    engine: Option<Engine>,
    /// The image of the scaler's container groups
    #[arg(long, value_name = "NAME", global = true, default_value = IMAGE)]
    image: String,
}

/// What runs images.
#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    /// Docker, or Podman, at `DOCKER_HOST` or where they usually listen
    Docker,
}

#[derive(Subcommand)]
enum Command {
    /// Stay up for development, on the ports of .env
    Serve {
        /// The port of Service Bus
        #[arg(long, value_name = "PORT", default_value_t = SERVICE_BUS_PORT)]
        service_bus_port: u16,
        /// The port of Resource Manager and managed identity
        #[arg(long, value_name = "PORT", default_value_t = PORT)]
        port: u16,
        /// Run the scaler too, every 15 s under a Functions host
        #[arg(long)]
        host: bool,
        /// Run this program for every container group, with the group's environment, instead of the built-in worker
        #[arg(long, value_name = "PROGRAM", conflicts_with = "engine")]
        worker: Option<PathBuf>,
        /// An argument of the worker; may be given many times
        #[arg(long, value_name = "ARGUMENT", requires = "worker", allow_hyphen_values = true)]
        worker_arg: Vec<OsString>,
    },
    /// Send messages to a running local Azure
    Send {
        /// The size of each message's file, in MB
        #[arg(long, value_name = "MB")]
        size: u32,
        /// How many messages
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// The port of Service Bus
        #[arg(long, value_name = "PORT", default_value_t = SERVICE_BUS_PORT)]
        service_bus_port: u16,
    },
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    let line = CommandLine::parse();
    Runtime::new()?.block_on(async {
        let engine = match connect(line.engine).await {
            Ok(engine) => engine,
            Err(failure) => return Ok(failed(&failure.to_string())),
        };
        let ended = tokio::select! {
            ended = run(line, engine.clone()) => ended.or_else(|failure| Ok(failed(&failure.to_string()))),
            // Leaving drops everything that runs: the scaler is killed, and folders are removed.
            interrupted = interrupt::interrupted() => interrupted.map(|()| INTERRUPTED.into()).map_err(Failure::from),
        };
        if let Some(engine) = engine {
            engine.close().await;
        }
        ended
    })
}

async fn connect(engine: Option<Engine>) -> Result<Option<DockerEngine>, EngineError> {
    match engine {
        Some(Engine::Docker) => Ok(Some(DockerEngine::connect(EngineConfig::default(), variable).await?)),
        None => Ok(None),
    }
}

async fn run(line: CommandLine, engine: Option<DockerEngine>) -> Result<ExitCode, Failure> {
    match line.command {
        None => demo(line.scaler, engine, line.image).await,
        Some(Command::Serve { service_bus_port, port, host, worker, worker_arg }) => {
            let runs = match (engine, worker) {
                (Some(engine), _) => Runs::Images(engine),
                (None, Some(program)) => Runs::Worker(Arc::new(Program::find(&program, worker_arg, &path())?)),
                (None, None) => Runs::Worker(Arc::new(serve::built_in_worker())),
            };
            let scaler = if host { Some(scaler(line.scaler).await?) } else { None };
            serve(service_bus_port, port, runs, scaler.map(|scaler| (scaler, line.image))).await
        }
        Some(Command::Send { size, count, service_bus_port }) => {
            for id in serve::send(service_bus_port, size, count).await? {
                print(&format!("{id} of {size} MB is sent"));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn demo(given: Option<PathBuf>, engine: Option<DockerEngine>, image: String) -> Result<ExitCode, Failure> {
    let scaler = scaler(given).await?;
    let summary = Demo { engine, image, ..Demo::new(scaler) }.run(&Story::new(print)).await?;
    print(&format!("\n{summary}"));
    Ok(if summary.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(
    service_bus_port: u16,
    port: u16,
    runs: Runs,
    scaler: Option<(PathBuf, String)>,
) -> Result<ExitCode, Failure> {
    let engine = match &runs {
        Runs::Images(engine) => Some(engine.about().to_owned()),
        Runs::Worker(_) => None,
    };
    let azure = serve::start(service_bus_port, port, runs).await?;
    serve::tell_how_to_use(&azure, print);
    if let Some(engine) = engine {
        print(&format!("Container groups run their images: {engine}.\n"));
    }
    let story = Story::new(print);
    let host = async {
        let Some((scaler, image)) = scaler else { return pending().await };
        let app = serve::start_host(&azure, &scaler, &image).await?;
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

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Prints a line; a reader that has gone away is no reason to stop.
fn print(line: &str) {
    _ = writeln!(io::stdout(), "{line}");
}

fn failed(why: &str) -> ExitCode {
    report(why);
    ExitCode::FAILURE
}

fn report(line: &str) {
    _ = writeln!(io::stderr(), "cargo local: {line}");
}
