//! Programs that use an official client, and print "satisfied" when the local Azure meets all its expectations.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use test_support::programs::{check, install, missing, python};
use tokio::time::timeout;

/// The official Python clients, in one environment.
const PYTHON: [&str; 3] =
    ["azure-servicebus==7.15.0", "azure-mgmt-containerinstance==10.1.0", "azure-mgmt-servicebus==10.0.0"];

/// The official JavaScript clients, as in `official_clients/node`, with their hashes.
const JAVASCRIPT: [&str; 2] = ["@azure/service-bus@7.9.5", "@azure/arm-containerinstance@9.1.0"];

/// The time-out of a program. Each takes seconds, most of them for waits of the Python clients.
const PATIENCE: Duration = Duration::from_secs(90);

/// A program in Python, or nothing if there is no Python here.
pub fn in_python(name: &str) -> Option<Command> {
    let mut command = Command::new(python(&PYTHON)?);
    command.arg(program(name));
    Some(command)
}

/// A program in JavaScript, or nothing if there is no Node here.
pub fn in_javascript(name: &str) -> Option<Command> {
    if missing("node", &["--version"]) {
        return None;
    }
    let home = install("node", &JAVASCRIPT, |home| {
        fs::create_dir_all(home).expect("the build's folder can be written");
        for list in ["package.json", "package-lock.json"] {
            fs::copy(program("node").join(list), home.join(list)).expect("the folder was just made");
        }
        let npm = ["ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"];
        check(Command::new("npm").args(npm).current_dir(home));
    });
    let mut command = Command::new("node");
    command.arg(program(name)).env("NODE_HOME", home);
    Some(command)
}

/// Runs a program that must be satisfied.
pub async fn judge(program: Command) {
    let mut program = tokio::process::Command::from(program);
    let output = timeout(PATIENCE, program.kill_on_drop(true).output()).await.expect("a verdict");
    let output = output.expect("the program was installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim_end() == "satisfied", "{said}\n{complaint}");
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official_clients").join(name)
}
