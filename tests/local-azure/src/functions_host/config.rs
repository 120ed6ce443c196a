//! How a host is set up, and why it may refuse to start.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::app::AppError;
use super::client::Outcome;
use super::request::Framing;
use super::streams::Streams;
use super::timer::TimerClock;

/// How long the host waits for a handler to be ready before it gives up on the invocation, and ends.
const DISPATCH_LIMIT: Duration = Duration::from_mins(2);

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The folder that holds `host.json` and a folder for each function.
    pub script_root: PathBuf,
    /// The app's settings. With what the host adds they are the handler's whole environment, so a handler on the PATH
    /// needs a PATH here. `AzureFunctionsJobHost__…` overrides a key of `host.json`.
    pub settings: BTreeMap<String, String>,
    /// Where monitored timers remember their last run; an existing folder.
    pub state_folder: PathBuf,
    /// Whether timers fire; if not, functions are only invoked by hand.
    pub timers: bool,
    /// The clock of the timers.
    pub clock: TimerClock,
    /// How requests are sent.
    pub framing: Framing,
    /// What is at the other end of the handler's streams.
    pub streams: Streams,
    /// How the handler ends.
    pub shutdown: ShutdownMode,
    /// How long an invocation waits for the handler to be ready.
    pub dispatch_limit: Duration,
    /// Gets the results of invocations, if set.
    pub outcomes: Option<mpsc::UnboundedSender<Outcome>>,
    /// Where the admin endpoints are served; a port of 0 means any free one.
    pub admin: SocketAddr,
}

/// How a host ends its handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShutdownMode {
    /// SIGKILL, once the runs of timers have ended or 10 s have passed: as in Azure.
    #[default]
    Kill,
    /// SIGINT to the process group and SIGKILL 2 s later: as Ctrl-C does under `func start`.
    CoreTools,
}

impl HostConfig {
    /// A host of this app, without timers, as in Azure.
    pub fn new(
        script_root: impl Into<PathBuf>,
        settings: BTreeMap<String, String>,
        state_folder: impl Into<PathBuf>,
    ) -> Self {
        Self {
            script_root: script_root.into(),
            settings,
            state_folder: state_folder.into(),
            timers: false,
            clock: TimerClock::system(),
            framing: Framing::default(),
            streams: Streams::default(),
            shutdown: ShutdownMode::default(),
            dispatch_limit: DISPATCH_LIMIT,
            outcomes: None,
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

/// The host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Correct the app's files.
    #[error(transparent)]
    App(#[from] AppError),
    /// The machine has no free port.
    #[error("no port on the loopback address")]
    Port(#[from] io::Error),
    /// The HTTP client cannot be created.
    #[error("no HTTP client")]
    Client(#[from] reqwest::Error),
}
