//! Container groups that do not live as they should.

use std::fmt;

use super::snapshot::GroupSnapshot;
use super::worker::Exit;

/// What goes wrong with a container group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Nothing happens after the PUT was accepted.
    StaysPending,
    /// The image cannot be pulled; the group waits for ever.
    ImagePullFails,
    /// The region has no room after all: the PUT was accepted, then provisioning fails.
    CapacityFails,
    /// The container exits like this as soon as it runs; the worker is not run.
    Exits(Exit),
    /// The container runs for ever; the worker is not run.
    Hangs,
}

/// Which container groups a [`Behaviour`] is for, and how often.
pub struct Rule {
    behaviour: Behaviour,
    matches: Box<dyn Fn(&GroupSnapshot) -> bool + Send + Sync>,
    /// How many more runs; for ever when absent.
    left: Option<u32>,
}

impl Rule {
    /// For every run of the groups that match.
    pub fn always(behaviour: Behaviour, matches: impl Fn(&GroupSnapshot) -> bool + Send + Sync + 'static) -> Self {
        Self { behaviour, matches: Box::new(matches), left: None }
    }

    /// For the next `times` runs of the groups that match.
    pub fn times(
        times: u32,
        behaviour: Behaviour,
        matches: impl Fn(&GroupSnapshot) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { left: Some(times), ..Self::always(behaviour, matches) }
    }

    /// What happens to this run, if it is affected; it is counted if so.
    pub(super) fn behaviour_of(&mut self, group: &GroupSnapshot) -> Option<Behaviour> {
        if self.left == Some(0) || !(self.matches)(group) {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(self.behaviour)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("behaviour", &self.behaviour).field("left", &self.left).finish_non_exhaustive()
    }
}
