//! The built-in worker as a program, for images: it serves a message of the subscription that its environment names.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use local_azure::container_groups::{Job, LogSink, Worker as _};
use local_azure::worker::BuiltIn;
use tokio::runtime::Runtime;

fn main() -> io::Result<ExitCode> {
    let log = LogSink::default();
    let job = Job {
        group: String::new(),
        container: "worker".to_owned(),
        image: String::new(),
        command: Vec::new(),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        memory_gb: 0.0,
        cpu: 0.0,
        log: log.clone(),
    };
    let worker = BuiltIn {
        at_least: Duration::from_secs(1),
        per_gib: Duration::from_secs(2),
        patience: Duration::from_secs(20),
    };
    let exit = Runtime::new()?.block_on(worker.run(job));
    for line in log.lines() {
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(exit.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1).into())
}
