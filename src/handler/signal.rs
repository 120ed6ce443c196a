//! The signals that ask the process to end.

use std::fmt;
use std::io;

use tokio::signal::unix::{self, SignalKind};

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as from Ctrl-C in a terminal or under `func start`.
    Interrupt,
    /// SIGTERM, as from a service manager or a container runtime.
    Terminate,
}

impl Signal {
    /// What the process exits with: 128 and the signal's number, by the shell's convention.
    ///
    /// It must not be 0. The Functions host takes a handler that exits with 0 for done and never starts it again
    /// (azure-functions-host, `WorkerProcess.cs`), so that a stray signal would end scaling until the host restarts.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Listens for the signals from its making on; until then each ends the process at once.
#[derive(Debug)]
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Signals {
    /// Starts to listen. Fails only if the runtime has no signal driver or the system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of them.
    pub async fn received(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            else => std::future::pending().await,
        }
    }
}
