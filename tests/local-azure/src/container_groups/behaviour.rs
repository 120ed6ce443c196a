//! Container groups that do not live as they should.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::snapshot::GroupSnapshot;
use super::worker::Exit;
use crate::millis;
use crate::occurrence::Occurrence;

/// What is out of the ordinary with a container group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// Nothing happens after the PUT was accepted.
    StaysPending,
    /// It stays pending for so long, and then goes the usual way.
    #[serde(rename = "starts_after_ms", with = "millis")]
    StartsAfter(Duration),
    /// The image cannot be pulled; the group waits for ever.
    ImagePullFails,
    /// The region has no room after all: the PUT was accepted, then provisioning fails.
    CapacityFails,
    /// The container exits like this as soon as it runs; the worker is not run.
    Exits(Exit),
    /// The container runs for so long and exits like this; the worker is not run.
    ExitsAfter {
        /// How long.
        #[serde(rename = "ms", with = "millis")]
        after: Duration,
        /// How.
        exit: Exit,
    },
    /// The container runs for ever; the worker is not run.
    Hangs,
}

/// Which container groups a [`Behaviour`] is for, and how often.
#[derive(Clone, Serialize)]
pub struct Rule {
    behaviour: Behaviour,
    /// Not there when a closure decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<GroupSelector>,
    #[serde(skip)]
    matches: Arc<dyn Fn(&GroupSnapshot) -> bool + Send + Sync>,
    #[serde(flatten)]
    occurrence: Occurrence,
}

/// The container groups of which all that is given here is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupSelector {
    /// The group's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its tag `subscription_name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Its tag `message_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

impl GroupSelector {
    fn selects(&self, group: &GroupSnapshot) -> bool {
        let is = |wanted: &Option<String>, found: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| found.is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
        };
        is(&self.name, Some(&group.name))
            && is(&self.subscription, group.tags.get("subscription_name"))
            && is(&self.message_id, group.tags.get("message_id"))
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
        Self { groups: Some(groups), ..Self::always(behaviour, move |group| selector.selects(group)) }
    }

    /// Only so many times.
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
        ((self.matches)(group) && self.occurrence.happens()).then_some(self.behaviour)
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
