//! A process and everything that it started.
//!
//! On Unix they are a process group, which signals reach. On Windows they are killed by their family tree, and can be neither
//! interrupted nor suspended from here.

pub(crate) use system::{Signal, become_group, signal};

#[cfg(unix)]
mod system {
    use rustix::process::{Pid, kill_process_group};
    use tokio::process::Command;

    pub(crate) use rustix::process::Signal;

    /// Puts a new process and everything that it starts into their own group.
    pub(crate) fn become_group(command: &mut Command) {
        command.process_group(0);
    }

    /// Sends a signal to a process and everything that it started. False if there is no such process.
    pub(crate) fn signal(leader: u32, signal: Signal) -> bool {
        let group = i32::try_from(leader).ok().and_then(Pid::from_raw);
        group.is_some_and(|group| kill_process_group(group, signal).is_ok())
    }
}

#[cfg(windows)]
mod system {
    use std::process::{Command as Blocking, Stdio};

    use tokio::process::Command;

    /// Keeps a Ctrl-C for this process away from it.
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;

    /// The signals; on this system all except the one that kills are refused.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Signal(bool);

    impl Signal {
        pub(crate) const KILL: Self = Self(true);
        pub(crate) const INT: Self = Self(false);
        pub(crate) const STOP: Self = Self(false);
        pub(crate) const CONT: Self = Self(false);
    }

    /// Puts a new process and everything that it starts into their own group.
    pub(crate) fn become_group(command: &mut Command) {
        command.creation_flags(CREATE_NEW_PROCESS_GROUP);
    }

    /// Kills a process and everything that it started. False if there is no such process, and for all other signals.
    pub(crate) fn signal(leader: u32, signal: Signal) -> bool {
        if signal != Signal::KILL {
            return false;
        }
        let mut kill = Blocking::new("taskkill");
        kill.args(["/F", "/T", "/PID", &leader.to_string()]);
        kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        kill.status().is_ok_and(|status| status.success())
    }
}
