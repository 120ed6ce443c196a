//! Influences from outside: the timer fires more or less often, somebody sets clocks, and somebody deletes groups.
//!
//! It has its own random numbers, so that schedules without these influences stay the same.

use std::time::Duration;

use aci_scaler::container_group::{GroupName, Ownership};

use crate::groups::Life;
use crate::promises::MAX_SKEW;
use crate::random::Random;
use crate::scene::{Millis, SECOND, Scene};
use crate::world::World;

const MINUTE: Millis = 60 * SECOND;

/// How wrong clocks may be.
const ERRORS: [Millis; 8] = [0, 0, 100 * SECOND, -100 * SECOND, 3 * MINUTE, 40 * MINUTE, -3 * MINUTE, -60 * MINUTE];

/// By how much a clock may be wrong while ages still count, and a second more because answers have whole seconds.
pub const MAX_CLOCK_ERROR: Millis = 2 * MINUTE + 2 * SECOND;

pub struct Outside {
    random: Random,
    /// In how many of a thousand steps a process's clock is set.
    clocks: i64,
    /// In how many of a thousand steps somebody deletes a group.
    janitor: i64,
    /// The least time between two passes of a process.
    pub between_passes: Millis,
}

/// A group that somebody deleted while its message was there.
pub struct Vanished {
    pub name: GroupName,
    pub created_at: Millis,
    pub at: Millis,
    /// Before this time, a process that knew the group does not create another one.
    pub due: Millis,
}

impl Outside {
    pub fn draw(seed: u64, scene: &Scene) -> Self {
        let mut random = Random::new(seed ^ 0x00C1_0C45_1A41);
        let between_passes = random.pick(&[5, 10, 15, 30]) * SECOND;
        let mut processing = scene.settings.processing.clone();
        processing.scale_every = Duration::from_millis(between_passes.unsigned_abs());
        let least = processing.least_between_passes();
        Self {
            clocks: random.pick(&[0, 0, 0, 20]),
            janitor: random.pick(&[0, 0, 0, 20]),
            between_passes: Millis::try_from(least.as_millis()).expect("it is short"),
            random,
        }
    }

    /// The time until the next step: about that from one pass to the next.
    pub fn pause(&mut self) -> Millis {
        self.random.within(SECOND..self.between_passes + 10 * SECOND)
    }

    /// The new error of a clock, if somebody sets it.
    pub fn sets_clock(&mut self) -> Option<Millis> {
        self.random.chance(self.clocks).then(|| self.random.pick(&ERRORS))
    }

    fn deletes_one_of<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        (self.random.chance(self.janitor) && !of.is_empty()).then(|| self.random.pick(of))
    }
}

impl World {
    /// Lets somebody delete a group, sometimes.
    pub fn clean_up(&mut self) {
        let managed: Vec<_> =
            self.groups.values().filter(|group| group.is_managed()).map(|group| &group.name).collect();
        let Some(name) = self.outside.deletes_one_of(&managed).cloned() else { return };
        let Some(group) = self.groups.remove(&name) else { return };
        let at = self.now();
        self.fires("group deleted by others");
        self.cleaned_up.insert(name.clone());
        self.tell(|| format!("somebody deletes {name} in {:?}", group.life));
        let place = (group.subscription().to_owned(), group.number());
        let ended_at = match group.life {
            Life::Pending { .. } | Life::Running { .. } => {
                self.ended.insert(place.clone(), (group.attempt(), at, true));
                at
            }
            Life::Exited { at, .. } | Life::Failed { at } => {
                self.ended.entry(place.clone()).and_modify(|(_, _, may_be_lost)| *may_be_lost = true);
                at
            }
        };
        let is_of_it = |other: &crate::groups::Group| {
            other.number() == group.number() && other.is_for(group.subscription(), group.message_id())
        };
        let is_newest = !self.groups.values().any(|other| is_of_it(other) && other.attempt() > group.attempt());
        let is_known_by_tags = matches!(group.ownership(), Ownership::Tagged | Ownership::TaggedByEarlierVersion);
        // The record of the attempt before it may say that the count starts again once it is the newest.
        let left = self.groups.values().filter(|other| is_of_it(other)).max_by_key(|other| other.attempt());
        let is_retried = [Some(&group), left].into_iter().flatten().any(|group| group.retried_since.is_some());
        if is_newest && !is_retried && is_known_by_tags && !self.scene.settings.processing.retry_backoff.is_zero() {
            let due = ended_at + self.scene.backoff(1) - MAX_SKEW;
            self.vanished.insert(place, Vanished { name, created_at: group.created_at, at, due });
        }
        self.unlock(&group);
        self.deleted.push_back((at, group));
    }
}
