//! A run of a container group, from the accepted PUT to the exit of its container.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::info;

use super::ContainerGroups;
use super::async_operation::AsyncStatus;
use super::behaviour::{Behaviour, IMAGE_NOT_FOUND, StartFailure};
use super::group::{Content, Phase};
use super::state::Key;
use super::worker::{Exit, Job};
use crate::clock;

/// The exit code of a program in Rust that panics.
const EXIT_OF_A_PANIC: Exit = Exit::Code(101);

/// How long the service waits before it tries again to start a container, as Kubernetes does.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);

/// One run of one group.
pub(super) struct Life {
    pub groups: ContainerGroups,
    pub key: Key,
    pub number: u64,
    pub behaviour: Option<Behaviour>,
}

/// The group was deleted or deployed again: this run no longer matters.
pub(super) struct Superseded;

impl Life {
    pub(super) async fn live(self) {
        // A run that another one replaces has simply ended.
        _ = self.run().await;
    }

    async fn run(&self) -> Result<(), Superseded> {
        let config = &self.groups.0.config;
        sleep(match self.behaviour {
            Some(Behaviour::StartsAfter(pending)) => pending,
            _ => config.pending,
        })
        .await;
        match self.behaviour {
            Some(Behaviour::StaysPending) => return Ok(()),
            Some(Behaviour::CapacityFails) => return self.fail_for_capacity(),
            _ => self.enter(Phase::Pulling, &[("Normal", "Pulling", "pulling image \"{image}\"")])?,
        }
        sleep(match self.behaviour {
            Some(Behaviour::PullsFor(pulling)) => pulling,
            _ => config.pulling,
        })
        .await;
        match self.behaviour {
            Some(Behaviour::ImagePullFails) => {
                let failed = ("Warning", "Failed", IMAGE_NOT_FOUND);
                let backs_off = ("Normal", "BackOff", "Back-off pulling image \"{image}\"");
                return self.fail_to_start(Phase::ImagePullBackOff, &[failed, backs_off]).await;
            }
            // The init container's own state shows what failed.
            Some(Behaviour::StartFails(failure @ StartFailure::InitContainerFails)) => {
                return self.fail_to_start(Phase::StartFails(failure), &[]).await;
            }
            Some(Behaviour::StartFails(failure)) => {
                let failed = ("Warning", "Failed", failure.message());
                return self.fail_to_start(Phase::StartFails(failure), &[failed]).await;
            }
            _ => {}
        }
        if let Some(engine) = &config.engine
            && !self.behaviour.as_ref().is_some_and(Behaviour::replaces_worker)
        {
            return self.run_on(engine.as_ref()).await;
        }
        let job = self.start()?;
        let exit = match self.behaviour {
            Some(Behaviour::Exits(exit)) => exit,
            Some(Behaviour::ExitsAfter { after, exit }) => {
                sleep(after).await;
                exit
            }
            Some(Behaviour::NeedsMemory(gb)) if job.memory_gb < gb => Exit::OutOfMemory,
            Some(Behaviour::Hangs) => std::future::pending().await,
            _ => self.work(job).await,
        };
        self.exit(exit)
    }

    /// Fails and keeps trying, as the counts of the events show.
    async fn fail_to_start(&self, phase: Phase, events: &[(&str, &str, &str)]) -> Result<(), Superseded> {
        self.enter(phase, events)?;
        let mut wait = FIRST_BACK_OFF;
        loop {
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_BACK_OFF);
            self.groups.state().living(&self.key, self.number).ok_or(Superseded)?.repeat_events();
            self.groups.changed();
        }
    }

    /// Runs the worker in its own task, so that a panic ends the container and nothing else.
    async fn work(&self, job: Job) -> Exit {
        let log = job.log.clone();
        let mut runs = JoinSet::new();
        runs.spawn(self.groups.0.config.worker.run(job));
        if let Some(Ok(exit)) = runs.join_next().await {
            return exit;
        }
        log.line("the worker panicked");
        EXIT_OF_A_PANIC
    }

    fn fail_for_capacity(&self) -> Result<(), Superseded> {
        let message = "The requested resource is not available in the location '{location}' at this moment. Please \
                       retry with a different resource request or in another location. Resource requested: '{cpu}' \
                       CPU '{memory}' GB memory 'Linux' OS";
        self.enter(Phase::NoCapacity, &[("Warning", "InsufficientCapacity.", message)])
    }

    fn start(&self) -> Result<Job, Superseded> {
        let pulled = ("Normal", "Pulled", "Successfully pulled image \"{image}\"");
        self.enter(Phase::Running { started: clock::now() }, &[pulled, ("Normal", "Started", "Started container")])?;
        let mut state = self.groups.state();
        let group = state.living(&self.key, self.number).ok_or(Superseded)?;
        if let Some(Behaviour::Shows(provisioning_state)) = &self.behaviour {
            group.provisioning_state = Some(provisioning_state.clone());
        }
        let Content::Spec(spec) = &group.content else { return Err(Superseded) };
        let container = spec.containers.get(spec.worker_index()).ok_or(Superseded)?;
        let identity = self.groups.0.managed_identity.get();
        Ok(group.job(spec, container, identity, group.log.clone()))
    }

    fn exit(&self, exit: Exit) -> Result<(), Superseded> {
        let finished = clock::now();
        let mut state = self.groups.state();
        let group = state.living(&self.key, self.number).ok_or(Superseded)?;
        let Phase::Running { started } = group.phase else { return Err(Superseded) };
        group.phase = Phase::Terminated { started, finished, exit };
        if matches!(self.behaviour, Some(Behaviour::Shows(_))) {
            group.provisioning_state = None;
        }
        info!(group = group.name, exit_code = exit.code(), "the container has exited");
        drop(state);
        self.groups.changed();
        Ok(())
    }

    /// Enters a phase and records its events, with the group's image and resources in their texts.
    fn enter(&self, phase: Phase, events: &[(&str, &str, &str)]) -> Result<(), Superseded> {
        let mut state = self.groups.state();
        let group = state.living(&self.key, self.number).ok_or(Superseded)?;
        group.phase = phase;
        let Content::Spec(spec) = &group.content else { return Err(Superseded) };
        let image =
            spec.containers.get(spec.worker_index()).map(|container| container.image.clone()).unwrap_or_default();
        let (location, cpu, memory) = (spec.location.clone(), spec.cpu().to_string(), spec.memory_gb().to_string());
        let mut recorded = Vec::new();
        for (kind, name, message) in events {
            let message = message.replace("{image}", &image).replace("{location}", &location);
            let message = message.replace("{repository}", image.rsplit('/').next().unwrap_or_default());
            let message = message.replace("{cpu}", &cpu).replace("{memory}", &memory);
            recorded.push(group.record(kind, name, &message));
        }
        let (name, operation) = (group.name.clone(), group.operation.clone());
        info!(group = name, ?phase, "the container group's phase has changed");
        if matches!(phase, Phase::Running { .. }) {
            state.count_run(&name);
        }
        if let Some(operation) = state.operations.get_mut(&operation) {
            operation.events.extend(recorded);
            operation.status = AsyncStatus::after(phase);
        }
        drop(state);
        self.groups.changed();
        Ok(())
    }
}
