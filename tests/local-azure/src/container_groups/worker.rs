//! What runs inside a container group.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::log::LogSink;

/// The future of a [`Worker`]'s run.
pub type Run = Pin<Box<dyn Future<Output = Exit> + Send>>;

/// Runs instead of the image, once for each run of a container group.
///
/// Async closures are workers: `|job: Job| async move { job.log.line("hello"); 0 }`. A worker that panics has exited
/// with 101; the run is dropped when its group is deleted or restarted.
pub trait Worker: Send + Sync {
    /// Runs the job until the container exits.
    fn run(&self, job: Job) -> Run;
}

impl<F, Fut> Worker for F
where
    F: Fn(Job) -> Fut + Send + Sync,
    Fut: Future + Send + 'static,
    Fut::Output: Into<Exit>,
{
    fn run(&self, job: Job) -> Run {
        let run = self(job);
        Box::pin(async { run.await.into() })
    }
}

/// The job of a container: what it is started with.
#[derive(Clone, Debug)]
pub struct Job {
    /// The container group's name.
    pub group: String,
    /// The container's name.
    pub container: String,
    /// The image.
    pub image: String,
    /// The command that replaces the image's own; empty for none.
    pub command: Vec<String>,
    /// The environment, secure values included.
    pub environment: BTreeMap<String, String>,
    /// Memory, in GB.
    pub memory_gb: f64,
    /// CPU, in cores.
    pub cpu: f64,
    /// Where the container prints.
    pub log: LogSink,
}

/// How a container ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Its process exited with this code.
    Code(i32),
    /// It was killed for using more memory than it has.
    OutOfMemory,
    /// The group was stopped.
    Stopped,
}

impl Exit {
    /// The exit code that the container's state shows: 137 when it ran out of memory, and none when it was stopped.
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::OutOfMemory => Some(137),
            Self::Stopped => None,
        }
    }

    /// The `detailStatus` that the container's state shows. `Completed`, `Error` and what a stopped container shows were
    /// seen in recorded answers; `OOMKilled` is what Kubernetes says.
    pub fn detail_status(self) -> &'static str {
        match self {
            Self::Code(0) => "Completed",
            Self::Code(_) => "Error",
            Self::OutOfMemory => "OOMKilled",
            Self::Stopped => "Container stopped per client request",
        }
    }
}

impl From<i32> for Exit {
    fn from(code: i32) -> Self {
        Self::Code(code)
    }
}

/// A worker that exits at once.
#[derive(Clone, Copy, Debug)]
pub struct ExitsAtOnce(
    /// How.
    pub Exit,
);

impl Worker for ExitsAtOnce {
    fn run(&self, job: Job) -> Run {
        let exit = self.0;
        Box::pin(async move {
            job.log.line(match exit.code() {
                Some(code) => format!("exiting with {code}"),
                None => "stopping".to_owned(),
            });
            exit
        })
    }
}

/// A worker whose runs last until [`ExitsWhenTold::tell`]. Clones share it.
#[derive(Clone, Debug)]
pub struct ExitsWhenTold {
    exit: Exit,
    told: Arc<Notify>,
}

impl ExitsWhenTold {
    /// A worker that exits like this on request.
    pub fn new(exit: Exit) -> Self {
        Self { exit, told: Arc::default() }
    }

    /// Ends one run: one that is under way, or else the next.
    pub fn tell(&self) {
        self.told.notify_one();
    }
}

impl Worker for ExitsWhenTold {
    fn run(&self, job: Job) -> Run {
        let Self { exit, told } = self.clone();
        Box::pin(async move {
            job.log.line("waiting to be told to exit");
            told.notified().await;
            exit
        })
    }
}
