//! Container groups: they are accepted, start, run a [`Worker`] and end.
//!
//! What it guarantees: a group runs once for each accepted PUT that is a deployment (a new group, changed properties,
//! or any PUT on a group that has ended), and never for one that changes nothing. Deleting a group ends its run.
//! Of a group's containers only the worker does anything (the one with that name, or else the first); [`companions`] says what
//! the others show. With an [`Engine`] each runs its image and has its own state.
//!
//! [`resource_manager`](crate::resource_manager) serves them over HTTP.

mod async_operation;
mod behaviour;
mod combinations;
mod companions;
mod engine;
mod group;
mod hidden;
mod invalid;
mod life;
mod log;
mod managed_identity;
mod meddling;
mod operation;
mod refused;
mod request;
mod snapshot;
mod spec;
mod state;
mod stop_and_start;
mod tag_policy;
mod worker;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

pub use behaviour::{Behaviour, GroupSelector, Rule, StartFailure};
pub(crate) use engine::variables;
pub use engine::{ContainerIndex, ContainerState, Deployment, Engine, GroupRun, Report, Waiting};
pub use group::{Phase, View};
pub use invalid::InvalidGroup;
pub use log::{LogQuery, LogSink, RUNNING_MAX_BYTES, STOPPED_MAX_BYTES, STOPPED_MAX_LINES};
pub use operation::{Put, Usage};
pub use refused::{LogRefused, PutRefused, Transitioning};
pub use snapshot::{GoneGroup, GroupSnapshot};
pub(crate) use spec::parse_patch;
pub use spec::{ContainerSpec, EnvironmentVariable, GroupSpec};
pub use stop_and_start::Started;
pub use tag_policy::{TagChange, TagPolicy};
pub use worker::{Exit, ExitsAtOnce, ExitsWhenTold, Job, Run, Worker};

use crate::clock;
use async_operation::AsyncStatus;
use group::normalize_location;
use managed_identity::ManagedIdentity;
use state::State;

/// How container groups run.
#[derive(Clone)]
pub struct ContainerGroupsConfig {
    /// What their containers do.
    pub worker: Arc<dyn Worker>,
    /// What runs their images, instead of the worker.
    pub engine: Option<Arc<dyn Engine>>,
    /// How long a group stays `Pending` before its image is pulled.
    pub pending: Duration,
    /// How long the image is pulled before the containers run.
    pub pulling: Duration,
    /// The quota of container groups; 2000 as in the service's own example.
    pub max_groups: u32,
    /// The quota of CPU cores of groups that have not ended.
    pub max_cores: u32,
}

impl Default for ContainerGroupsConfig {
    /// Groups that start within milliseconds and exit with 0, with quotas that no test reaches by chance.
    fn default() -> Self {
        Self {
            worker: Arc::new(ExitsAtOnce(Exit::Code(0))),
            engine: None,
            pending: Duration::from_millis(2),
            pulling: Duration::from_millis(2),
            max_groups: 2000,
            max_cores: 4000,
        }
    }
}

impl fmt::Debug for ContainerGroupsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerGroupsConfig")
            .field("pending", &self.pending)
            .field("pulling", &self.pulling)
            .field("max_groups", &self.max_groups)
            .field("max_cores", &self.max_cores)
            .finish_non_exhaustive()
    }
}

/// The container groups of a subscription. Clones share them.
#[derive(Clone)]
pub struct ContainerGroups(Arc<Shared>);

struct Shared {
    subscription_id: String,
    config: ContainerGroupsConfig,
    state: Mutex<State>,
    /// What gives groups their tokens, once it is known.
    managed_identity: OnceLock<ManagedIdentity>,
    changes: watch::Sender<u64>,
}

/// A PUT that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedPut {
    /// The group's name.
    pub name: String,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// Whether no group with this name existed before.
    pub created: bool,
}

/// A condition was not met in time.
#[derive(Debug, thiserror::Error)]
#[error("the condition was not met within {after:?}; the container groups are {groups:#?}")]
pub struct NeverHappened {
    /// How long it took.
    pub after: Duration,
    /// The groups at the end of that time.
    pub groups: Vec<GroupSnapshot>,
}

/// What tests and tools do with the groups, bypassing the API.
impl ContainerGroups {
    /// No groups yet.
    pub fn new(subscription_id: impl Into<String>, config: ContainerGroupsConfig) -> Self {
        Self(Arc::new(Shared {
            subscription_id: subscription_id.into(),
            config,
            state: Mutex::default(),
            managed_identity: OnceLock::new(),
            changes: watch::Sender::new(0),
        }))
    }

    /// The groups that exist, by name.
    pub fn groups(&self) -> Vec<GroupSnapshot> {
        self.state().snapshots()
    }

    /// The group with a name, if it exists.
    pub fn group(&self, name: &str) -> Option<GroupSnapshot> {
        self.groups().into_iter().find(|group| group.name.eq_ignore_ascii_case(name))
    }

    /// The groups that were deleted last, oldest first; older ones are forgotten.
    pub fn gone(&self) -> Vec<GoneGroup> {
        self.state().gone.iter().cloned().collect()
    }

    /// How often a group with this name was started, including deleted ones.
    pub fn runs(&self, name: &str) -> u32 {
        self.state().runs(name)
    }

    /// Every PUT that was accepted, in order.
    pub fn accepted_puts(&self) -> Vec<AcceptedPut> {
        self.state().accepted.clone()
    }

    /// Adds a rule for how groups misbehave. Of several rules that match, the first one added wins.
    pub fn inject(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// The rules for how groups misbehave, each with how often it will still apply.
    pub fn rules(&self) -> Vec<Rule> {
        self.state().rules.clone()
    }

    /// Removes the rules, so that new groups behave.
    pub fn clear_rules(&self) {
        self.state().rules.clear();
    }

    /// Adds the group in `json`, and replaces one with its name. It is shown unchanged (without secrets, and in lists without
    /// instance views) and does nothing.
    ///
    /// # Panics
    /// When `json` has no `name`, or no `id` that says which resource group it is in.
    pub fn plant(&self, json: Value) {
        self.state().plant(json);
        self.changed();
    }

    /// Ends a group's run now. `false` when there is no such group, or it is planted.
    pub fn finish(&self, name: &str, exit: impl Into<Exit>) -> bool {
        let finished = self.state().finish_named(name, exit.into());
        self.changed();
        finished
    }

    /// Ends the containers next to a group's worker. `false` when there is no such group, or it is planted.
    pub fn finish_sidecars(&self, name: &str, exit: impl Into<Exit>) -> bool {
        let exit = exit.into();
        self.meddle(name, |group| group.companions.end(clock::now(), exit))
    }

    /// Counts the changes of groups; wait for it to change, then read the groups again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Waits until the groups meet `condition`, for at most `deadline`, and returns them.
    pub async fn until(
        &self,
        deadline: Duration,
        condition: impl Fn(&[GroupSnapshot]) -> bool,
    ) -> Result<Vec<GroupSnapshot>, NeverHappened> {
        let mut changes = self.changes();
        let wait = async {
            loop {
                changes.mark_unchanged();
                let groups = self.groups();
                if condition(&groups) || changes.changed().await.is_err() {
                    return groups;
                }
            }
        };
        timeout(deadline, wait).await.map_err(|_| NeverHappened { after: deadline, groups: self.groups() })
    }

    /// Ends all runs.
    pub(crate) fn stop(&self) {
        self.state().stop();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.0.changes.send_modify(|changes| *changes += 1);
    }
}

impl fmt::Debug for ContainerGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerGroups").field("config", &self.0.config).finish_non_exhaustive()
    }
}

/// Whether two locations are the same: `West Europe` is `westeurope`.
pub fn is_same_location(one: &str, other: &str) -> bool {
    normalize_location(one) == normalize_location(other)
}
