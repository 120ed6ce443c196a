//! Programs that only these tests need. They are installed once, under the build's own folder; where their language is
//! missing the tests say so and pass, except under CI, where they fail.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Azure CLI, whose parser reads the recorded command lines.
pub const AZURE_CLI: &str = "azure-cli==2.91.0";

/// Checks JSON against schemas.
pub const SCHEMA_VALIDATOR: &str = "jsonschema==4.26.0";

/// A Python that has a package, or nothing if there is no Python here.
pub fn python(package: &str) -> Option<PathBuf> {
    if missing("python3", &["-c", "import ensurepip, venv"]) {
        return None;
    }
    let name = package.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = File::create(home.with_extension("lock")).expect("the build's folder can be written");
    lock.lock().expect("a lock on a file of our own");
    let complete = home.join("complete");
    if !complete.exists() {
        check(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        let pip = ["install", "--quiet", "--disable-pip-version-check", package];
        check(Command::new(home.join("bin/pip")).args(pip));
        File::create(complete).expect("the folder was just made");
    }
    Some(home.join("bin/python"))
}

/// Whether there is no Python here, which the scripts and the stand-in for `az` are written in.
pub fn no_python() -> bool {
    missing("python3", &["--version"])
}

/// Whether a program cannot be run here. Says so; under CI it fails instead.
#[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
pub fn missing(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return false;
    }
    assert!(variable("CI").is_none(), "{program} is needed");
    eprintln!("skipped: {program} cannot be run here");
    true
}

/// A variable of the environment that steers which tests can run.
#[expect(clippy::disallowed_methods, reason = "what a machine has is told to tests by the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs a program that has to succeed, and gives what it printed.
pub fn check(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).expect("our own programs print UTF-8")
}

/// Writes a file that a program is to read.
pub fn write(path: &Path, content: &str) {
    fs::write(path, content).expect("a folder of our own");
}
