//! Runs the images of container groups through the API of Docker, which Podman speaks too.
//!
//! What it guarantees: all containers of a group share one network namespace and the group's `emptyDir` volumes, have the
//! group's environment, command and limits, and report their states as Container Instances shows them. When a group ends,
//! is deleted or deployed again, its containers and volumes are removed; when the process ends, all of them are; and the next
//! process removes what a killed one left.

mod archive;
mod attempts;
mod connect;
mod container;
mod deployment;
mod exit;
mod image;
mod network;
mod output;
mod owner;
mod pause;
mod removal;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions,
};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::{Mutex, RwLock};
use tracing::warn;

use crate::container_groups::{self, Deployment, GroupRun, Report};
use container::Container;
use deployment::Plan;
use network::Host;
use owner::{LABEL_GROUP, LABEL_OWNER, Owner};
use removal::Removal;

pub use connect::EngineError;
pub use network::Network;

/// How many containers are removed at a time.
const REMOVALS: usize = 16;

/// A container engine that runs container groups. Clones share it.
#[derive(Clone)]
pub struct DockerEngine(Arc<Inner>);

struct Inner {
    docker: Docker,
    owner: Owner,
    network: Network,
    /// Whether containers are still created.
    open: Arc<RwLock<bool>>,
    host: OnceLock<Host>,
    about: String,
    architecture: String,
}

/// How the containers of a group reach each other and this machine, unless the engine says it.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineConfig {
    /// If absent, what the engine's system needs.
    pub network: Option<Network>,
}

impl DockerEngine {
    /// Connects to the engine that `DOCKER_HOST` among the variables names, or else to the one at the usual address of Docker or
    /// Podman, and removes what ended processes have left there.
    pub async fn connect(
        config: EngineConfig,
        variable: impl Fn(&str) -> Option<String> + Sync,
    ) -> Result<Self, EngineError> {
        let (docker, info) = connect::connect(&variable).await?;
        let network = config.network.unwrap_or_else(|| Network::of(&info));
        let owner = Owner::new()?;
        let about = format!(
            "{} {} on {}",
            info.name.as_deref().unwrap_or("an engine"),
            info.server_version.as_deref().unwrap_or_default(),
            info.operating_system.as_deref().unwrap_or("an unknown system"),
        );
        let architecture = info.architecture.unwrap_or_default();
        let (open, host) = (Arc::new(RwLock::new(true)), OnceLock::new());
        let inner = Inner { docker, owner, network, open, host, about, architecture };
        let engine = Self(Arc::new(inner));
        engine.sweep().await?;
        Ok(engine)
    }

    /// The engine's name and version.
    pub fn about(&self) -> &str {
        &self.0.about
    }

    /// The ports of this machine that containers are to reach: where an environment names them on the loopback address, they
    /// are named as the container reaches them.
    pub fn reach(&self, ports: impl IntoIterator<Item = u16>) {
        // A local Azure is started once; ports of another one would be those of another engine.
        _ = self.0.host.set(Host::new(self.0.network, ports));
    }

    /// Builds an image from files, all of them executable, that runs this command.
    pub async fn import(&self, image: &str, files: &[(&str, &[u8])], command: &[&str]) -> Result<(), EngineError> {
        Ok(archive::import(&self.0.docker, image, files, command).await?)
    }

    /// Removes everything that this engine was asked to run, and runs nothing more.
    pub async fn close(&self) {
        *self.0.open.write().await = false;
        let all = format!("{LABEL_OWNER}={}", self.0.owner.id());
        if let Err(error) = self.0.remove_all(&all).await {
            warn!(%error, "containers could not be removed; the next start removes them");
        }
    }

    /// Removes what ended processes have left.
    async fn sweep(&self) -> Result<(), bollard::errors::Error> {
        for left in self.0.owners().await?.into_iter().filter(|left| self.0.owner.is_gone(left)) {
            warn!(owner = left.id, "containers of a local Azure that was killed are removed");
            self.0.remove_all(&format!("{LABEL_OWNER}={}", left.id)).await?;
            left.forget();
        }
        Ok(())
    }
}

impl container_groups::Engine for DockerEngine {
    fn run(&self, deployment: Deployment, report: Report) -> GroupRun {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let removal = Removal::new(Arc::clone(&inner), &deployment.group);
            let plan = Plan::new(deployment);
            let shared = match inner.namespace(&plan, &removal).await {
                Ok(shared) => shared,
                Err(error) => {
                    warn!(group = plan.group, %error, "the group's network could not be made");
                    return std::future::pending().await;
                }
            };
            let container =
                |asked| Container { inner: &inner, removal: &removal, report: &report, network: &shared, asked };
            for asked in &plan.init {
                if !container(asked).run_to_success(plan.restart).await {
                    return;
                }
            }
            let containers: Vec<_> = plan.main.iter().map(container).collect();
            join_all(containers.iter().map(|container| container.run(plan.restart))).await;
        })
    }
}

impl fmt::Debug for DockerEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerEngine").field("about", &self.0.about).field("network", &self.0.network).finish()
    }
}

impl Inner {
    /// Removes the containers and volumes with this label.
    async fn remove_all(&self, label: &str) -> Result<(), bollard::errors::Error> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListContainersOptions { all: true, filters: Some(filters.clone()), ..Default::default() };
        let containers = self.docker.list_containers(Some(options)).await?;
        let remove = async |container: ContainerSummary| {
            let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
            let id = container.id.unwrap_or_default();
            connect::unless_gone(self.docker.remove_container(&id, Some(options)).await)
        };
        stream::iter(containers).map(remove).buffer_unordered(REMOVALS).try_collect::<()>().await?;
        let options = ListVolumesOptions { filters: Some(filters) };
        for volume in self.docker.list_volumes(Some(options)).await?.volumes.unwrap_or_default() {
            let options = RemoveVolumeOptions { force: true };
            connect::unless_gone(self.docker.remove_volume(&volume.name, Some(options)).await)?;
        }
        Ok(())
    }

    /// The processes that have containers or volumes here.
    async fn owners(&self) -> Result<Vec<owner::Left>, bollard::errors::Error> {
        let filters = HashMap::from([("label".to_owned(), vec![LABEL_OWNER.to_owned()])]);
        let options = ListContainersOptions { all: true, filters: Some(filters.clone()), ..Default::default() };
        let containers = self.docker.list_containers(Some(options)).await?;
        let volumes = self.docker.list_volumes(Some(ListVolumesOptions { filters: Some(filters) })).await?;
        let labels = containers.into_iter().filter_map(|container| container.labels);
        let labels = labels.chain(volumes.volumes.unwrap_or_default().into_iter().map(|volume| volume.labels));
        Ok(owner::Left::of(labels))
    }

    /// The labels of everything in one run of a group.
    fn labels(&self, run: &str) -> HashMap<String, String> {
        let mut labels = self.owner.labels();
        labels.insert(LABEL_GROUP.to_owned(), run.to_owned());
        labels
    }
}

/// A lock with which one run of a group creates one thing at a time, and nothing after its end.
type Making = Arc<Mutex<()>>;
