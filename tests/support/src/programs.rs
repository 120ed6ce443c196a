//! Programs that only tests need. They are installed once, in the build's own folder. If their language is missing, the tests
//! report that and pass, except in CI, where they fail.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Checks JSON against schemas.
pub const SCHEMA_VALIDATOR: &str = "jsonschema==4.26.0";

/// A Python with these packages, or nothing if there is no Python here. A file in tests/support/requirements, named after them,
/// lists them and all that they need with their hashes; none of them runs code when it is installed.
pub fn python(packages: &[&str]) -> Option<PathBuf> {
    if missing("python3", &["-c", "import ensurepip, venv"]) {
        return None;
    }
    let home = install("python", packages, |home| {
        check(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home));
        let names: Vec<_> = packages.iter().filter_map(|package| package.split("==").next()).collect();
        let list = format!("{}/requirements/{}.txt", env!("CARGO_MANIFEST_DIR"), names.join("+"));
        let listed = fs::read_to_string(&list).unwrap_or_else(|error| panic!("{list}: {error}"));
        assert!(packages.iter().all(|package| listed.contains(package)), "{list} has another version of {packages:?}");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
        let safely = ["--require-hashes", "--only-binary=:all:", "--requirement", &list];
        check(Command::new(home.join("bin/python")).args(pip).args(safely));
    });
    Some(home.join("bin/python"))
}

/// A folder in which programs are installed by `installer`, unless that was done before.
pub fn install(language: &str, packages: &[&str], installer: impl FnOnce(&Path)) -> PathBuf {
    let name = format!("{language} {}", packages.join(" "));
    let name = name.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    let home = folder_of_the_build().join(name);
    let lock = File::create(home.with_extension("lock")).expect("the build's folder can be written");
    lock.lock().expect("a lock on a file of our own");
    let complete = home.join("complete");
    if !complete.exists() {
        installer(&home);
        File::create(complete).expect("the installer made the folder");
    }
    home
}

/// Whether a program cannot be run here. Prints that; in CI it fails instead.
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

/// An environment variable that decides which tests can run.
#[expect(clippy::disallowed_methods, reason = "what a machine has is told to tests by the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs a program that must succeed, and returns what it printed.
pub fn check(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).expect("our own programs print UTF-8")
}

/// The folder that cargo has for the files of tests (`CARGO_TARGET_TMPDIR`, which only the tests themselves have).
fn folder_of_the_build() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows where it is");
    let build = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let folder = build.expect("cargo has built this, and marks its folder").join("tmp");
    std::fs::create_dir_all(&folder).expect("the build's folder can be written");
    folder
}
