//! One container of a group, from its image to its last exit.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, InspectContainerOptions, StartContainerOptions,
};
use tokio::time::timeout;

use super::Inner;
use super::attempts::Attempts;
use super::connect::words;
use super::deployment::{Asked, RestartPolicy};
use super::exit::{self, Ended};
use super::image::{self, NoImage};
use super::output;
use super::removal::Removal;
use crate::clock;
use crate::container_groups::{ContainerState, Exit, Report, StartFailure, Waiting};

/// How long the output of a container that has exited is still read. Normally it arrives at once.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// The period that a CPU limit is a share of, in microseconds: the kernel's default.
const CPU_PERIOD: i64 = 100_000;
/// The least that the kernel accepts.
const LEAST_CPU_QUOTA: f64 = 1_000.0;

/// A container of one run of a group.
pub(super) struct Container<'a> {
    pub(super) inner: &'a Inner,
    pub(super) removal: &'a Removal,
    pub(super) report: &'a Report,
    pub(super) network: &'a str,
    pub(super) asked: &'a Asked,
}

impl Container<'_> {
    /// Runs it until it has ended and does not restart.
    pub(super) async fn run(&self, restart: RestartPolicy) {
        self.run_while(|exit| restart.restarts(exit == Exit::Code(0))).await;
    }

    /// Runs an init container. Unless the policy is `Never`, it is restarted until it succeeds. False when it has finally failed.
    pub(super) async fn run_to_success(&self, restart: RestartPolicy) -> bool {
        let exit = self.run_while(|exit| exit != Exit::Code(0) && restart != RestartPolicy::Never).await;
        exit == Exit::Code(0)
    }

    async fn run_while(&self, restarts: impl Fn(Exit) -> bool) -> Exit {
        self.pull().await;
        let id = self.create().await;
        self.event("Normal", "Created", &format!("Created container {}", self.asked.name));
        let mut attempts: Option<Attempts> = None;
        loop {
            let exit = self.run_once(&id).await;
            if !restarts(exit) {
                return exit;
            }
            // It is started again at once, then after increasing waits.
            if let Some(attempts) = &mut attempts {
                self.state(ContainerState::Waiting(Waiting::CrashLoopBackOff));
                self.event("Warning", "BackOff", "Back-off restarting failed container");
                attempts.wait().await;
            }
            attempts.get_or_insert_with(Attempts::new);
        }
    }

    async fn pull(&self) {
        let (docker, name) = (&self.inner.docker, &self.asked.image);
        self.event("Normal", "Pulling", &format!("pulling image \"{name}\""));
        let mut attempts = Attempts::new();
        loop {
            match image::ensure(docker, name, self.asked.credentials.clone()).await {
                Ok(true) => return self.event("Normal", "Pulled", &format!("Successfully pulled image \"{name}\"")),
                Ok(false) => {
                    let message = format!("Container image \"{name}\" already present on machine");
                    return self.event("Normal", "Pulled", &message);
                }
                Err(NoImage::Pull(words)) => {
                    self.event("Warning", "Failed", &image::pull_event(name, &words));
                    self.event("Normal", "BackOff", &format!("Back-off pulling image \"{name}\""));
                    self.state(ContainerState::Waiting(Waiting::ImagePullBackOff));
                }
                Err(NoImage::InvalidName) => {
                    let message = format!("Failed to apply default image tag \"{name}\": couldn't parse image name");
                    self.fails(StartFailure::InvalidImageName, &message);
                }
            }
            attempts.wait().await;
        }
    }

    async fn create(&self) -> String {
        let mut attempts = Attempts::new();
        loop {
            match self.body() {
                Ok(body) => {
                    let name = format!("{}-{}-{}", self.removal.group(), self.asked.name, &self.removal.run()[..8]);
                    let options = CreateContainerOptions { name: Some(name), ..CreateContainerOptions::default() };
                    let docker = self.inner.docker.clone();
                    let made = async move { docker.create_container(Some(options), body).await };
                    match self.removal.make(made).await {
                        Ok(made) => return made.id,
                        Err(error) => {
                            let message = format!("Error: {}", words(&error));
                            self.fails(StartFailure::CreateContainerError, &message);
                        }
                    }
                }
                Err(problem) => {
                    self.fails(StartFailure::CreateContainerConfigError, &format!("Error: {problem}"));
                }
            }
            attempts.wait().await;
        }
    }

    /// Starts it and waits for its exit. If it cannot be started, tries again and again.
    async fn run_once(&self, id: &str) -> Exit {
        let docker = &self.inner.docker;
        let mut attempts = Attempts::new();
        loop {
            // Attached before it starts, so that no line is lost.
            let options = AttachContainerOptions {
                stream: true,
                stdout: true,
                stderr: true,
                ..AttachContainerOptions::default()
            };
            let attached = docker.attach_container(id, Some(options)).await;
            let log = self.report.log(self.asked.index);
            let copying = attached.map(|attached| tokio::spawn(output::copy(attached.output, log)));
            match docker.start_container(id, None::<StartContainerOptions>).await {
                Ok(()) => {
                    let started = self.started(id).await;
                    self.event("Normal", "Started", &format!("Started container {}", self.asked.name));
                    self.state(ContainerState::Running(started));
                    let Ended { started: since, finished, exit } = exit::wait(docker, id).await;
                    if let Ok(mut copying) = copying
                        && timeout(DRAIN_LIMIT, &mut copying).await.is_err()
                    {
                        copying.abort();
                    }
                    let started = since.unwrap_or(started).min(finished);
                    self.state(ContainerState::Terminated { started, finished, exit });
                    return exit;
                }
                Err(error) => {
                    if let Ok(copying) = copying {
                        copying.abort();
                    }
                    let message =
                        format!("Error: failed to start container \"{}\": {}", self.asked.name, words(&error));
                    self.fails(StartFailure::RunContainerError, &message);
                }
            }
            attempts.wait().await;
        }
    }

    async fn started(&self, id: &str) -> time::OffsetDateTime {
        let inspected = self.inner.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let started = inspected.ok().and_then(|container| container.state?.started_at);
        started.as_deref().and_then(exit::time_of).unwrap_or_else(clock::now)
    }

    #[expect(clippy::cast_possible_truncation, reason = "limits of a group are far below those of the type")]
    fn body(&self) -> Result<ContainerCreateBody, String> {
        let Asked { image, command, environment, memory_gb, cpu, .. } = self.asked;
        let memory = (memory_gb * f64::from(1 << 30)) as i64;
        let host = self.inner.host.get();
        let variable = |(name, value): (&String, &String)| {
            format!("{name}={}", host.map_or_else(|| value.clone(), |host| host.reached_in(value)))
        };
        let host_config = HostConfig {
            memory: Some(memory),
            // No swap on top of it.
            memory_swap: Some(memory),
            cpu_period: Some(CPU_PERIOD),
            // As a quota it may be more than this machine has, which the engine's own kind of limit may not.
            cpu_quota: Some((cpu * 100_000.0).max(LEAST_CPU_QUOTA) as i64),
            network_mode: Some(self.network.to_owned()),
            mounts: Some(self.mounts()?),
            // Its output is read at once, so the engine need not keep it.
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            ..HostConfig::default()
        };
        Ok(ContainerCreateBody {
            image: Some(image.clone()),
            // It replaces the image's entry point and its arguments.
            entrypoint: (!command.is_empty()).then(|| command.clone()),
            env: Some(environment.iter().map(variable).collect()),
            labels: Some(self.inner.labels(self.removal.run())),
            host_config: Some(host_config),
            ..ContainerCreateBody::default()
        })
    }

    fn mounts(&self) -> Result<Vec<Mount>, String> {
        let mounts = self.asked.mounts.as_ref().map_err(Clone::clone)?;
        let mount = |mount: &super::deployment::VolumeMount| Mount {
            typ: Some(MountType::VOLUME),
            source: Some(format!("{}-{}-{}", self.removal.group(), mount.volume, &self.removal.run()[..8])),
            target: Some(mount.path.clone()),
            read_only: Some(mount.read_only),
            volume_options: Some(MountVolumeOptions {
                // It is empty, whatever the image has there.
                no_copy: Some(true),
                labels: Some(self.inner.labels(self.removal.run())),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        };
        Ok(mounts.iter().map(mount).collect())
    }

    fn fails(&self, failure: StartFailure, message: &str) {
        self.event("Warning", "Failed", message);
        self.state(ContainerState::Waiting(Waiting::Fails(failure)));
    }

    fn event(&self, kind: &str, name: &str, message: &str) {
        self.report.event(self.asked.index, kind, name, message);
    }

    fn state(&self, state: ContainerState) {
        self.report.state(self.asked.index, state);
    }
}
