//! The signals that ask the process to end.

use std::fmt;
use std::io;

#[cfg(unix)]
use tokio::signal::unix::{self, SignalKind};
#[cfg(windows)]
use tokio::signal::windows;

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as from Ctrl-C in a terminal or under `func start`; on Windows Ctrl-C or Ctrl-Break.
    Interrupt,
    /// SIGTERM, as from a service manager or a container runtime; on Windows the end of the console or of the session.
    Terminate,
}

impl Signal {
    /// The process's exit code: 128 plus the signal's number, by the shell's convention.
    ///
    /// It must not be 0: the Functions host never restarts a handler that exits with 0
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
            Self::Interrupt if cfg!(windows) => "Ctrl-C",
            Self::Terminate if cfg!(windows) => "the end of the console",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Listens for the signals from its creation on; before that, each ends the process at once.
#[derive(Debug)]
pub struct Signals(System);

impl Signals {
    /// Starts to listen. Fails only if the runtime has no signal driver or the system refuses.
    pub fn listen() -> io::Result<Self> {
        System::listen().map(Self)
    }

    /// Waits for the next of them.
    pub async fn received(&mut self) -> Signal {
        self.0.received().await
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct System {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

#[cfg(unix)]
impl System {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
        })
    }

    async fn received(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            else => std::future::pending().await,
        }
    }
}

/// The events that end a program with its console or session. Windows kills it some seconds later anyway.
#[cfg(windows)]
#[derive(Debug)]
struct System {
    c: windows::CtrlC,
    r#break: windows::CtrlBreak,
    close: windows::CtrlClose,
    logoff: windows::CtrlLogoff,
    shutdown: windows::CtrlShutdown,
}

#[cfg(windows)]
impl System {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            c: windows::ctrl_c()?,
            r#break: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            logoff: windows::ctrl_logoff()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    async fn received(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.c.recv() => Signal::Interrupt,
            Some(()) = self.r#break.recv() => Signal::Interrupt,
            Some(()) = self.close.recv() => Signal::Terminate,
            Some(()) = self.logoff.recv() => Signal::Terminate,
            Some(()) = self.shutdown.recv() => Signal::Terminate,
            else => std::future::pending().await,
        }
    }
}
