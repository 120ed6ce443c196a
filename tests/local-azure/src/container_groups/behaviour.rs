//! Container groups that misbehave.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::snapshot::GroupSnapshot;
use super::worker::Exit;
use crate::millis;
use crate::occurrence::Occurrence;

/// How a container group misbehaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// Nothing happens after the PUT was accepted.
    StaysPending,
    /// It stays pending for this long, then goes on as usual.
    #[serde(rename = "starts_after_ms", with = "millis")]
    StartsAfter(Duration),
    /// Its image is pulled for this long, then it goes on as usual.
    #[serde(rename = "pulls_for_ms", with = "millis")]
    PullsFor(Duration),
    /// The image cannot be pulled; the group waits forever.
    ImagePullFails,
    /// The container cannot be created or started for this reason; the group waits forever.
    StartFails(StartFailure),
    /// The region has no room after all: the PUT was accepted, then provisioning fails.
    CapacityFails,
    /// The container exits like this as soon as it runs; the worker is not run.
    Exits(Exit),
    /// The container runs for this long and then exits; the worker is not run.
    ExitsAfter {
        /// How long.
        #[serde(rename = "ms", with = "millis")]
        after: Duration,
        /// How.
        exit: Exit,
    },
    /// The container runs out of memory at once if it has less than this many GB. Otherwise its worker runs.
    #[serde(rename = "needs_memory_gb")]
    NeedsMemory(f64),
    /// The container runs forever; the worker is not run.
    Hangs,
    /// While the worker runs, the group shows this provisioning state: `Repairing`, `Unhealthy`, `Updating`, `Stopping`, or
    /// any other.
    Shows(String),
    /// Somebody else deletes the group this long after its PUT, whatever state it is in.
    #[serde(rename = "vanishes_after_ms", with = "millis")]
    VanishesAfter(Duration),
}

impl Behaviour {
    /// Whether the containers do this instead of what they would do.
    pub(super) fn replaces_worker(&self) -> bool {
        matches!(self, Self::Exits(_) | Self::ExitsAfter { .. } | Self::Hangs)
    }
}

/// Why a container does not start, in the words of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartFailure {
    /// The image could not be pulled just now.
    ErrImagePull,
    /// The image's name is not valid.
    InvalidImageName,
    /// The container's configuration is wrong.
    CreateContainerConfigError,
    /// The container could not be created.
    CreateContainerError,
    /// The container was created and could not be started.
    RunContainerError,
    /// The first init container exited with 1, so the others wait forever.
    InitContainerFails,
}

impl StartFailure {
    /// The `detailStatus` of the waiting container.
    pub fn detail_status(self) -> &'static str {
        match self {
            Self::ErrImagePull => "ErrImagePull",
            Self::InvalidImageName => "InvalidImageName",
            Self::CreateContainerConfigError => "CreateContainerConfigError",
            Self::CreateContainerError => "CreateContainerError",
            Self::RunContainerError => "RunContainerError",
            Self::InitContainerFails => "PodInitializing",
        }
    }

    /// The text of the event, which is inferred except for the first.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::ErrImagePull => IMAGE_NOT_FOUND,
            Self::InvalidImageName => "Failed to apply default image tag \"{image}\": couldn't parse image name",
            Self::CreateContainerConfigError => "Error: couldn't prepare the configuration of the container",
            Self::CreateContainerError => "Error: failed to create containerd container",
            Self::RunContainerError => "Error: failed to start container: exec: no such file or directory",
            Self::InitContainerFails => "Error: the init container has failed",
        }
    }
}

/// The text of the event of an image that cannot be pulled, with places for the image with and without its registry.
pub(super) const IMAGE_NOT_FOUND: &str =
    "Failed to pull image \"{image}\": rpc error: code 2 desc Error: image {repository} not found";

/// Which container groups a [`Behaviour`] is for, and how often.
#[derive(Clone, Serialize)]
pub struct Rule {
    behaviour: Behaviour,
    /// Nothing if a closure decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<GroupSelector>,
    #[serde(skip)]
    matches: Arc<dyn Fn(&GroupSnapshot) -> bool + Send + Sync>,
    #[serde(flatten)]
    occurrence: Occurrence,
}

/// The container groups that match everything that is given here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupSelector {
    /// The group's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tag `subscription_name` in its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The tag `message_id` in its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

impl GroupSelector {
    /// Whether it selects a group with this name, requested with these tags.
    pub(super) fn selects(&self, name: &str, asked_tags: &BTreeMap<String, String>) -> bool {
        let name = name.to_owned();
        let is = |wanted: &Option<String>, found: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| found.is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
        };
        is(&self.name, Some(&name))
            && is(&self.subscription, asked_tags.get("subscription_name"))
            && is(&self.message_id, asked_tags.get("message_id"))
    }
}

impl Rule {
    /// For every run of the groups that match.
    pub fn always(behaviour: Behaviour, matches: impl Fn(&GroupSnapshot) -> bool + Send + Sync + 'static) -> Self {
        Self { behaviour, groups: None, matches: Arc::new(matches), occurrence: Occurrence::default() }
    }

    /// For the next `times` runs of the groups that match.
    pub fn times(
        times: u32,
        behaviour: Behaviour,
        matches: impl Fn(&GroupSnapshot) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::always(behaviour, matches).at_most(times)
    }

    /// For every run of the groups that are selected.
    pub fn of(groups: GroupSelector, behaviour: Behaviour) -> Self {
        let selector = groups.clone();
        Self {
            groups: Some(groups),
            ..Self::always(behaviour, move |group| selector.selects(&group.name, &group.asked_tags))
        }
    }

    /// Only this many times.
    #[must_use]
    pub fn at_most(mut self, times: u32) -> Self {
        self.occurrence = self.occurrence.times(times);
        self
    }

    pub(crate) fn occurring(self, occurrence: Occurrence) -> Self {
        Self { occurrence, ..self }
    }

    /// Only with this probability, between 0 and 1; the same seed affects the same runs.
    #[must_use]
    pub fn with_probability(mut self, probability: f64, seed: u64) -> Self {
        self.occurrence = self.occurrence.with_probability(probability, seed);
        self
    }

    /// What happens to this run, if it is affected; it is counted if so.
    pub(super) fn behaviour_of(&mut self, group: &GroupSnapshot) -> Option<Behaviour> {
        ((self.matches)(group) && self.occurrence.happens()).then(|| self.behaviour.clone())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("behaviour", &self.behaviour)
            .field("groups", &self.groups)
            .field("occurrence", &self.occurrence)
            .finish_non_exhaustive()
    }
}
