//! Keeps the processors awake while passes are measured.

use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::Result;

/// Ends by itself once the program that started it has ended.
const SPIN: &str = "while kill -0 $PPID 2>/dev/null; do :; done";

/// Processes that keep every processor busy, and leave it at once to whatever else wants it.
///
/// A processor of a virtual machine sleeps while a pass waits for an answer. It takes time to wake, and then runs with cold
/// caches, which made each of 400 answers, one after the other, a millisecond later. That says nothing about the scaler.
pub struct Awake(#[expect(dead_code, reason = "they end when they are dropped")] Vec<Child>);

impl Awake {
    pub fn start() -> Result<Self> {
        let processors = std::thread::available_parallelism()?.get();
        let spin = |_| {
            let spinning = Command::new("chrt")
                .args(["--idle", "0", "sh", "-c", SPIN])
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .spawn();
            spinning.map_err(|error| format!("chrt (of util-linux) cannot be started: {error}").into())
        };
        Ok(Self((0..processors).map(spin).collect::<Result<_>>()?))
    }
}
