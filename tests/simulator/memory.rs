//! Workers that run out of memory: which messages need how much, and how large each group must be.
//!
//! It has random numbers of its own, so that schedules in which no message needs more than its first group has are what they
//! were before.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use aci_scaler::container_group::{GroupSpec, MemoryGb};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::azure::Write;
use crate::groups::{Exit, Group};
use crate::random::Random;
use crate::scene::{Millis, SECOND, Scene, TagPolicy};
use crate::world::World;

/// Tenths of a GB of the first group for a file.
fn first(large: bool) -> i64 {
    if large { 80 } else { 10 }
}

pub struct MemoryNeeds {
    random: Random,
    /// Messages in a thousand that need more than their first group has.
    hungry: i64,
    /// What the attempts at each message had.
    attempts: HashMap<(String, i64), BTreeMap<u32, Attempt>>,
    pub cost: Cost,
}

/// What an attempt had, and what became of it.
#[derive(Clone, Copy)]
struct Attempt {
    memory: i64,
    ran_out: bool,
    /// What one before it ran out of, as its tag says.
    ran_out_before: Option<i64>,
}

/// What workers that run out of memory have cost.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// Tenths of GB times milliseconds of all groups that have ended.
    all: i64,
    /// The same, as far as the groups were larger than their files asked for.
    beyond_first: i64,
    /// Attempts that ran out of memory.
    ran_out: u64,
    /// Those of them that were made for another message than the one that the worker had.
    ran_out_for_another: u64,
    /// Messages that were settled and needed more than their first group had.
    served: u64,
}

impl MemoryNeeds {
    pub fn draw(seed: u64, scene: &mut Scene) -> Self {
        let mut random = Random::new(seed ^ 0x0BAD_A110_C000);
        let hungry = random.pick(&[0, 0, 50, 200, 1000]);
        let (factor, most) = (random.pick(&["2", "2", "1.5", "1.25", "1"]), random.pick(&["240", "240", "12", "8"]));
        scene.settings.aci.oom_memory_factor = factor.parse().expect("it is a number");
        scene.settings.aci.max_memory =
            MemoryGb::from_decimal(most.parse().expect("it is a number")).expect("it is memory");
        Self { random, hungry, attempts: HashMap::new(), cost: Cost::default() }
    }

    pub fn describe(&self, scene: &Scene) -> String {
        let aci = &scene.settings.aci;
        format!(
            "{} of 1000 messages need more, factor {}, at most {}",
            self.hungry, aci.oom_memory_factor, aci.max_memory
        )
    }

    /// The memory that a message's worker needs.
    pub fn need_of(&mut self, large: bool) -> i64 {
        if !self.random.chance(self.hungry) {
            return 0;
        }
        // Ten thousand times as much is for nobody.
        first(large) * self.random.pick(&[15, 20, 20, 30, 60, 100_000]) / 10
    }

    /// Once nothing goes wrong any more, no worker needs more than its message's second attempt has. Whatever needs more is at
    /// the head of its subscription, where it takes the groups of all others with it until one is large enough: that may be
    /// after a day of breakers, and breaks no promise.
    pub fn need_when_calm(need: i64, large: bool, scene: &Scene) -> i64 {
        let aci = &scene.settings.aci;
        // Without a back-off no record stays, and a name does not say what the group ran out of before.
        let forgets =
            scene.settings.processing.retry_backoff.is_zero() || scene.tag_policy == Some(TagPolicy::Both) || large;
        if forgets { 0 } else { need.min(times(first(large), hundredths(aci.oom_memory_factor))) }
    }
}

impl World {
    /// Whether a worker needs more memory than its message's first attempt has.
    pub fn is_hungry(&self) -> bool {
        let mut messages = self.subscriptions.values().flat_map(|subscription| subscription.messages.values());
        messages.any(|message| message.needs > first(message.large))
    }

    /// A worker has ended.
    pub fn note_memory(&mut self, group: &Group, message: Option<i64>, exit: Exit, at: Millis) {
        let place = (group.subscription().to_owned(), group.number());
        let (lasted, first) = (at - group.created_at, first(is_for_large(group.asked.get("file_size_mb"))));
        self.memory.cost.all += lasted * group.memory;
        self.memory.cost.beyond_first += lasted * (group.memory - first);
        if exit == Exit::RunsOut {
            self.fires("ran out of memory");
            self.memory.cost.ran_out += 1;
            if message != Some(group.number()) {
                self.fires("ran out of memory for another's message");
                self.memory.cost.ran_out_for_another += 1;
            }
            if let Some(attempt) =
                self.memory.attempts.get_mut(&place).and_then(|attempts| attempts.get_mut(&group.attempt()))
            {
                attempt.ran_out = true;
            }
        }
    }

    /// A message is about to be settled.
    pub fn note_settled(&mut self, needs: i64, large: bool) {
        if needs > first(large) {
            self.fires("served after running out of memory");
            self.memory.cost.served += 1;
        }
    }

    /// A group has the memory that its file needs, or, if and only if an attempt before it ran out, the factor of what that had;
    /// and never more than there may be.
    pub fn check_memory(&mut self, group: &Group, write: &Write) {
        let aci = &write.process.settings.aci;
        let (factor, most) = (hundredths(aci.oom_memory_factor), tenths(aci.max_memory));
        let first = first(is_for_large(group.asked.get("file_size_mb")));
        let ran_out_before = group
            .asked
            .get("ran_out_of_gb")
            .map(|gb| tenths(MemoryGb::from_decimal(gb.parse().expect("it is a number")).expect("it is memory")));
        let place = (group.subscription().to_owned(), group.number());
        let attempts = self.memory.attempts.entry(place).or_default();
        let record = attempts.get(&(group.attempt() - 1)).copied();
        attempts.insert(group.attempt(), Attempt { memory: group.memory, ran_out: false, ran_out_before });
        if group.memory > most || group.memory < first.min(most) {
            self.violated(format!("{} has {} tenths of a GB", group.name, group.memory));
        }
        // Which of several messages of an id a record is of, its name does not say.
        if self.names_alone_tell() {
            return;
        }
        let own = record.filter(|record| record.ran_out).map(|record| record.memory);
        let ran_out_of = own.max(record.and_then(|record| record.ran_out_before)).filter(|_| factor > 100);
        let expected = ran_out_of.map_or(first, |of| first.max(times(of, factor)).min(most));
        if (group.memory, ran_out_before) != (expected, ran_out_of) {
            let (has, tag) = (group.memory, ran_out_before);
            self.violated(format!("{} has {has} and the tag {tag:?}, not {expected} after {ran_out_of:?}", group.name));
        }
        if ran_out_of.is_some() {
            self.fires("more memory after running out of it");
        }
    }
}

fn is_for_large(file_size: Option<&String>) -> bool {
    file_size.is_some_and(|size| size == "1024")
}

/// So many times as much, rounded up.
fn times(tenths: i64, hundredths: i64) -> i64 {
    (tenths * hundredths + 99) / 100
}

fn hundredths(factor: Decimal) -> i64 {
    (factor * Decimal::ONE_HUNDRED).to_i64().expect("it is small")
}

pub fn tenths(memory: MemoryGb) -> i64 {
    (memory.to_decimal() * Decimal::TEN).to_i64().expect("it is small")
}

/// The sequence number of the message that a group is asked for.
pub fn number(spec: &GroupSpec) -> i64 {
    spec.tags.get("sequence_number").and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Whether a group that is there was asked for in the same way.
pub fn is_as_asked(group: &Group, spec: &GroupSpec) -> bool {
    let is_tag = |(key, value): (&&str, &String)| group.asked.get(*key) == Some(value);
    group.memory == tenths(spec.memory) && group.asked.len() == spec.tags.len() && spec.tags.iter().all(is_tag)
}

impl Cost {
    pub fn add(&mut self, other: Self) {
        self.all += other.all;
        self.beyond_first += other.beyond_first;
        self.ran_out += other.ran_out;
        self.ran_out_for_another += other.ran_out_for_another;
        self.served += other.served;
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = |amount: i64| amount / 10 / SECOND / 3600;
        write!(
            f,
            "{} attempts ran out of memory, {} of them on another's message; {} messages that did were served; of {} GB-hours, {} \
             were for having run out",
            self.ran_out,
            self.ran_out_for_another,
            self.served,
            hours(self.all),
            hours(self.beyond_first)
        )
    }
}
