//! The scaler as a function app: built, laid out as it is deployed, and run by the stand-in for the Functions host.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::functions_host::{FunctionsHost, HostConfig, StartError};

/// The scaler's only function.
pub const FUNCTION: &str = "ScaleTimer";

/// The scaler's binary, as `host.json` names it.
const BINARY: &str = "aci-scaler";

/// What `cargo run` tells this program about its own package. To an inner cargo these are changes of the environment, so that it
/// would compile ring and its dependents again each time (ring's `build.rs` watches these variables).
const OF_THIS_PACKAGE: [&str; 8] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// The scaler under a Functions host. Dropping it kills the scaler.
#[derive(Debug)]
pub struct FunctionApp {
    /// The host.
    pub host: FunctionsHost,
    /// The folder that the host works in. It is removed when this is dropped.
    _folder: TempDir,
}

/// The function app cannot run.
#[derive(Debug, thiserror::Error)]
pub enum FunctionAppError {
    /// The folder could not be created, or there is no such binary.
    #[error("the function app's folder could not be created: {0}")]
    Folder(#[from] io::Error),
    /// The host did not start.
    #[error("the Functions host did not start: {0}")]
    Host(#[from] StartError),
}

/// There is no binary of the scaler.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo could not be run.
    #[error("cargo could not be run: {0}")]
    Cargo(#[from] io::Error),
    /// Cargo has said why, on the standard error.
    #[error("the scaler could not be built")]
    Failed,
}

impl FunctionApp {
    /// Starts the scaler of this binary with these app settings, in its own folder, which holds what a deployment has.
    ///
    /// `configure` changes how the host runs it.
    pub async fn start(
        scaler: &Path,
        settings: BTreeMap<String, String>,
        configure: impl FnOnce(HostConfig) -> HostConfig,
    ) -> Result<Self, FunctionAppError> {
        let folder = tempfile::tempdir()?;
        let (root, state) = (folder.path().join("app"), folder.path().join("state"));
        fs::create_dir_all(root.join(FUNCTION))?;
        fs::create_dir(&state)?;
        for file in ["host.json".to_owned(), format!("{FUNCTION}/function.json")] {
            fs::copy(repository().join(&file), root.join(&file))?;
        }
        place(&fs::canonicalize(scaler)?, &root)?;
        let host = FunctionsHost::start(configure(HostConfig::new(root, settings, state))).await?;
        Ok(Self { host, _folder: folder })
    }
}

/// Builds the scaler with this cargo, whose progress goes to the standard error, and returns the binary's path.
pub async fn build_scaler(cargo: &OsStr) -> Result<PathBuf, BuildError> {
    let mut command = Command::new(cargo);
    command.args(["build", "--package", BINARY, "--bin", BINARY, "--message-format", "json-render-diagnostics"]);
    command.current_dir(repository()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    for name in OF_THIS_PACKAGE {
        command.env_remove(name);
    }
    let output = command.spawn()?.wait_with_output().await?;
    if !output.status.success() {
        return Err(BuildError::Failed);
    }
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == BINARY).then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    String::from_utf8_lossy(&output.stdout).lines().find_map(executable).ok_or(BuildError::Failed)
}

/// Puts the scaler into the app's folder under the name that `host.json` has.
#[cfg(unix)]
fn place(scaler: &Path, root: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(scaler, root.join(BINARY))
}

/// Puts the scaler into the app's folder under the name that `host.json` has. A link would take a privilege.
#[cfg(windows)]
fn place(scaler: &Path, root: &Path) -> io::Result<()> {
    fs::copy(scaler, root.join(BINARY).with_extension("exe")).map(drop)
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
