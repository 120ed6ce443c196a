//! What becomes of what a handler prints.

use serde::{Deserialize, Serialize};

/// What is at the other end of a handler's stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// A reader, as there should be.
    #[default]
    Reads,
    /// A reader that reads no more: the pipe fills, and then writing blocks.
    Stalls,
    /// Nobody: the pipe is closed for good, until another process of the handler has a new one.
    Closes,
    /// A file on a disk that is full: writing fails. Only of processes that are started from now on.
    DiskFull,
}

/// Both streams of a handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    /// The standard output.
    pub stdout: Reading,
    /// The standard error.
    pub stderr: Reading,
}
