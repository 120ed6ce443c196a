//! Real workers: a program of the user runs for every container group.
//!
//! The program has the group's environment and the PATH, and nothing else of this process's. What it prints on its
//! standard output and error is the container's log, its exit code the container's. Everything that it started ends with it,
//! and when its group is deleted.
//!
//! On Linux its memory is limited like a container's: a program that, with its children, holds more than the group has is
//! killed, and its container shows `OOMKilled`. Between two measurements the system's own limit on a process's data, twice the
//! group's memory, keeps the machine safe; if a program reaches it, an allocation fails.

use std::ffi::{OsStr, OsString};
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::container_groups::{Exit, Job, LogSink, Run, Worker};
use crate::memory;
use crate::processes::{self, Signal};

/// The exit code that container runtimes use for a program that cannot be run.
const EXIT_OF_WHAT_CANNOT_RUN: Exit = Exit::Code(126);
/// How often memory is measured. A program that grows by 1 GB a second is at most 100 MB too large when it is killed. A
/// measurement takes 0.1 ms, so 100 workers cost a tenth of a core.
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);
/// A line longer than this is split, so that a line without an end does not fill this process's memory.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// How long the pipes of a program that has exited are still read. Normally they are empty at once.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// A program that is run for every container group.
#[derive(Clone, Debug)]
pub struct Program {
    executable: PathBuf,
    arguments: Vec<OsString>,
    path: OsString,
}

/// There is no such program.
#[derive(Debug, thiserror::Error)]
#[error("the worker {} is not a program that can be run", .0.display())]
pub struct NoProgram(PathBuf);

impl Program {
    /// The program at this path, or, of a name without a folder, the one on `path`, which its runs have as their PATH.
    ///
    /// # Errors
    /// When there is none, so that this is known before the first group needs it.
    pub fn find(
        program: &Path,
        arguments: impl IntoIterator<Item = OsString>,
        path: &OsStr,
    ) -> Result<Self, NoProgram> {
        let candidates = if program.components().count() > 1 || program.is_absolute() {
            vec![program.to_owned()]
        } else {
            std::env::split_paths(path).map(|folder| folder.join(program)).collect()
        };
        let found =
            candidates.iter().flat_map(|candidate| as_executable(candidate)).find(|candidate| is_executable(candidate));
        let executable = found.and_then(|found| std::path::absolute(found).ok());
        let executable = executable.ok_or_else(|| NoProgram(program.to_owned()))?;
        Ok(Self { executable, arguments: arguments.into_iter().collect(), path: path.to_owned() })
    }

    fn spawn(&self, job: &Job) -> io::Result<Processes> {
        let mut command = Command::new(&self.executable);
        command.args(&self.arguments).env_clear().env("PATH", &self.path).envs(&job.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        keep_what_the_system_needs(&mut command);
        processes::become_group(&mut command);
        let child = command.kill_on_drop(true).spawn()?;
        let leader = child.id();
        let processes = Processes { child, leader };
        memory::limit_data(leader, memory::kib(2.0 * job.memory_gb))?;
        Ok(processes)
    }
}

impl Worker for Program {
    fn run(&self, job: Job) -> Run {
        let program = self.clone();
        Box::pin(async move {
            match program.spawn(&job) {
                Ok(processes) => processes.end(&job).await,
                Err(error) => {
                    job.log.line(format!("{} could not be run: {error}", program.executable.display()));
                    EXIT_OF_WHAT_CANNOT_RUN
                }
            }
        })
    }
}

/// A running program and everything that it started; dropping this kills them.
struct Processes {
    child: Child,
    leader: Option<u32>,
}

impl Processes {
    /// Waits for the program to exit, or for its memory to be too little.
    async fn end(mut self, job: &Job) -> Exit {
        let output = [
            self.child.stdout.take().map(|pipe| tokio::spawn(copy(pipe, job.log.clone()))),
            self.child.stderr.take().map(|pipe| tokio::spawn(copy(pipe, job.log.clone()))),
        ];
        let leader = self.leader;
        let exit = tokio::select! {
            status = self.child.wait() => status.map_or(EXIT_OF_WHAT_CANNOT_RUN, exit_of),
            () = exceed(leader, memory::kib(job.memory_gb)) => Exit::OutOfMemory,
        };
        drop(self);
        for mut reader in output.into_iter().flatten() {
            if timeout(DRAIN_LIMIT, &mut reader).await.is_err() {
                reader.abort();
            }
        }
        exit
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // If no process is left, that is fine.
            _ = processes::signal(leader, Signal::KILL);
        }
    }
}

/// Returns when a program and its children hold more than this many KiB.
async fn exceed(leader: Option<u32>, limit_kib: u64) {
    let Some(leader) = leader else { return pending().await };
    loop {
        sleep(MEMORY_INTERVAL).await;
        if memory::held_kib(leader) > limit_kib {
            return;
        }
    }
}

/// Copies lines to a log until the end.
async fn copy(pipe: impl AsyncRead + Unpin, log: LogSink) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while (&mut pipe).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        log.line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        line.clear();
    }
}

#[cfg(unix)]
fn exit_of(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;

    /// What shells and container runtimes add to the number of a signal to make the exit code of the program that it ended.
    const SIGNALLED: i32 = 128;

    Exit::Code(status.code().unwrap_or_else(|| SIGNALLED + status.signal().unwrap_or_default()))
}

#[cfg(windows)]
fn exit_of(status: ExitStatus) -> Exit {
    Exit::Code(status.code().unwrap_or(1))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(windows)]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// The files that a name may mean.
fn as_executable(path: &Path) -> Vec<PathBuf> {
    if cfg!(windows) && path.extension().is_none() {
        return ["exe", "cmd", "bat"].map(|extension| path.with_extension(extension)).to_vec();
    }
    vec![path.to_owned()]
}

/// Windows itself does not open a socket without this; other systems need nothing.
fn keep_what_the_system_needs(command: &mut Command) {
    if cfg!(windows) {
        command.envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)));
    }
}
