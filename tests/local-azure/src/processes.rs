//! A process and all that it has started.
//!
//! On Unix they are a process group, which signals reach. On Windows they are killed by their family tree, and can be neither
//! interrupted nor suspended from here.

pub(crate) use system::{Signal, become_group, signal};

#[cfg(unix)]
mod system {
    use rustix::process::{Pid, kill_process_group};
    use tokio::process::Command;

    pub(crate) use rustix::process::Signal;

    /// Puts a process to come and all that it starts into a group of their own.
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

    /// Not to be reached by the Ctrl-C that is meant for this process.
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;

    /// What can be asked of a process; all but to die is refused here.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Signal(bool);

    impl Signal {
        pub(crate) const KILL: Self = Self(true);
        pub(crate) const INT: Self = Self(false);
        pub(crate) const STOP: Self = Self(false);
        pub(crate) const CONT: Self = Self(false);
    }

    /// Puts a process to come and all that it starts into a group of their own.
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
