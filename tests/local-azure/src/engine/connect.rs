//! Where the engine is.

use std::io;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::SystemInfo;

/// The environment.
pub(super) type Variable<'a> = dyn Fn(&str) -> Option<String> + Sync + 'a;

/// How long the engine may take to answer at first.
const PATIENCE: Duration = Duration::from_secs(10);
const GONE: u16 = 404;
/// It is being removed already.
const IN_PROGRESS: u16 = 409;

/// There is no engine to run container groups with.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It does not answer.
    #[error(
        "no container engine answers at {address}: {source}. Start Docker or Podman, or set DOCKER_HOST to its socket, as \
         in unix:///run/user/1000/podman/podman.sock"
    )]
    NoAnswer {
        /// Where it was looked for.
        address: String,
        /// What went wrong.
        source: Error,
    },
    /// It answered with an error.
    #[error("the container engine failed: {0}")]
    Engine(#[from] Error),
    /// The file that shows other processes that this one is alive could not be created.
    #[error("the lock on this engine's containers could not be taken: {0}")]
    Lock(#[from] io::Error),
}

/// Connects, and agrees on a version of the API.
pub(super) async fn connect(variable: &Variable<'_>) -> Result<(Docker, SystemInfo), EngineError> {
    let address = address(variable);
    let failed = |source| EngineError::NoAnswer { address: address.clone(), source };
    let connected = async {
        let docker = Docker::connect_with_host(&address)?.negotiate_version().await?;
        let info = docker.info().await?;
        Ok((docker, info))
    };
    match tokio::time::timeout(PATIENCE, connected).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => Err(failed(Error::RequestTimeoutError)),
    }
}

/// `DOCKER_HOST`, or the first of the usual sockets that exists.
fn address(variable: &Variable<'_>) -> String {
    if let Some(host) = variable("DOCKER_HOST").filter(|host| !host.is_empty()) {
        return host;
    }
    let usual = usual_addresses(variable);
    let there = usual.iter().find(|address| {
        let path = address.split_once("://").map_or(address.as_str(), |(_, path)| path);
        Path::new(path).exists()
    });
    there.or(usual.first()).cloned().unwrap_or_default()
}

#[cfg(unix)]
fn usual_addresses(variable: &Variable<'_>) -> Vec<String> {
    let [home, runtime] = ["HOME", "XDG_RUNTIME_DIR"].map(|name| variable(name).unwrap_or_default());
    [
        "/var/run/docker.sock".to_owned(),
        format!("{home}/.docker/run/docker.sock"),
        format!("{runtime}/docker.sock"),
        format!("{runtime}/podman/podman.sock"),
        "/run/podman/podman.sock".to_owned(),
    ]
    .map(|path| format!("unix://{path}"))
    .to_vec()
}

#[cfg(windows)]
fn usual_addresses(_: &Variable<'_>) -> Vec<String> {
    vec!["npipe:////./pipe/docker_engine".to_owned(), "npipe:////./pipe/podman-machine-default".to_owned()]
}

/// Whether something does not exist or is about to be removed, so that it needs no removal.
pub(super) fn unless_gone(removed: Result<(), Error>) -> Result<(), Error> {
    match removed {
        Err(Error::DockerResponseServerError { status_code: GONE | IN_PROGRESS, .. }) => Ok(()),
        removed => removed,
    }
}

/// The engine's own words.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        error => error.to_string(),
    }
}

/// Whether there is no such container, image or volume.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: GONE, .. })
}
