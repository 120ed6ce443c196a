//! Where a handler's output goes.

use serde::{Deserialize, Serialize};

/// What is at the other end of a handler's stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// A reader, as usual.
    #[default]
    Reads,
    /// A reader that stops reading: the pipe fills, and then writing blocks.
    Stalls,
    /// Nothing: the pipe is closed, until another process of the handler gets a new one.
    Closes,
    /// A file on a full disk: writing fails. Only for processes that start from now on.
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
