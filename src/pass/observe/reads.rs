//! Which groups a pass reads.
//!
//! A list does not show the states of containers, so every group is read on its own, as far as Azure's allowance for reads goes:
//! a burst of 250, then 25 a second. For groups beyond the allowance, the last read counts.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::container_group::{ContainerGroup, GroupName, Liveness};
use crate::plan::{Look, ObservedGroup};
use crate::sync::Mutex;

/// The most reads that Azure saves up for an identity.
const BURST: f64 = 250.0;

/// How many reads a second Azure allows an identity.
const PER_SECOND: f64 = 25.0;

/// How many reads to leave for the look-ups before creates and deletes.
const RESERVE: f64 = 50.0;

/// How many groups to read for each second since the last pass. It is below what Azure allows, because others may use the same
/// identity. With a pass every 10 s, each of 200 groups is read every 20 s, each of 1,000 every minute.
const SUSTAINED_PER_SECOND: f64 = 18.0;

/// How many groups every pass may read, however soon it follows the last one.
const LEAST: f64 = 50.0;

/// How long reading may take: if the first answers were older than this, there would be no time to create.
const LONGEST: Duration = Duration::from_secs(15);

/// How old the missing read of a group counts as that is only starting; the list shows most of its state.
const NEVER_READ_WHILE_STARTING: Duration = Duration::from_secs(30);

/// How much more urgent a running group is: it may have ended, which no list shows.
const RUNNING_WEIGHT: u32 = 3;

/// The allowance, and the last read of each group. It is kept from pass to pass.
#[derive(Debug, Default)]
pub(in crate::pass) struct Reads(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What was left of the burst, and when. Nothing if all of it is left.
    left: Option<(f64, Instant)>,
    seen: HashMap<GroupName, Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    group: Arc<ContainerGroup>,
    at: Instant,
}

/// The listed groups, divided.
pub(super) struct Turns {
    pub(super) to_look_at: Vec<ObservedGroup>,
    /// As they were when they were last read, if they were.
    pub(super) others: Vec<ObservedGroup>,
}

impl Reads {
    /// Chooses the groups whose turn it is: the most urgent, and among equals the first. `asked_for` are the groups that this
    /// process requested lately, and `longest` is the time for reading.
    pub(super) fn choose(
        &self,
        listed: Vec<ObservedGroup>,
        asked_for: &HashSet<GroupName>,
        longest: Duration,
    ) -> Turns {
        let now = Instant::now();
        let mut state = self.0.lock();
        let names: HashSet<_> = listed.iter().map(|observed| &observed.group.name).collect();
        state.seen.retain(|name, _| names.contains(name));
        let mut turns: Vec<_> = listed
            .into_iter()
            .map(|observed| {
                let seen = state.seen.get(&observed.group.name).filter(|seen| {
                    let may_be_another = asked_for.contains(&observed.group.name) && seen.has_ended();
                    seen.is_of(&observed.group) && !may_be_another
                });
                (urgency(&observed.group, seen, now), observed, seen.cloned())
            })
            .collect();
        turns.sort_by_key(|(urgency, ..)| Reverse(*urgency));
        let allowance = state.spend(turns.len(), longest, now);
        let others = turns.split_off(allowance);
        Turns {
            to_look_at: turns.into_iter().map(|(_, observed, _)| observed).collect(),
            others: others.into_iter().map(|(_, observed, seen)| as_last_seen(observed, seen)).collect(),
        }
    }

    /// Remembers the groups that were read.
    pub(super) fn remember(&self, read: &[ObservedGroup]) {
        let (mut state, at) = (self.0.lock(), Instant::now());
        for observed in read.iter().filter(|observed| observed.look == Look::Done) {
            let seen = Seen { group: observed.group.clone(), at };
            state.seen.insert(observed.group.name.clone(), seen);
        }
    }
}

impl State {
    /// Takes up to the wanted number of reads from the allowance.
    fn spend(&mut self, wanted: usize, longest: Duration, now: Instant) -> usize {
        let (left, since) = self.left.map_or((BURST, f64::INFINITY), |(left, at)| (left, (now - at).as_secs_f64()));
        let left = (left + since * PER_SECOND).min(BURST);
        let granted_meanwhile = longest.min(LONGEST).as_secs_f64() * PER_SECOND;
        let sustained = (since * SUSTAINED_PER_SECOND).max(LEAST);
        let allowed = (left - RESERVE + granted_meanwhile).min(sustained).max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is small and not negative")]
        let spent = wanted.min(allowed.floor() as usize);
        #[expect(clippy::cast_precision_loss, reason = "it is small")]
        let rest = left - spent as f64;
        self.left = Some((rest, now));
        spent
    }
}

impl Seen {
    /// Whether it still holds for the listed group, as far as the list shows.
    fn is_of(&self, listed: &ContainerGroup) -> bool {
        self.group.provisioning_state == listed.provisioning_state
            && self.group.sequence_number() == listed.sequence_number()
    }

    fn has_ended(&self) -> bool {
        self.group.liveness() == Liveness::Terminal
    }
}

/// How urgent it is to read a group: those that were never read first, then those that were not read for longest.
fn urgency(listed: &ContainerGroup, seen: Option<&Seen>, now: Instant) -> Duration {
    match seen {
        None if listed.is_being_provisioned() => NEVER_READ_WHILE_STARTING,
        None => Duration::MAX,
        Some(seen) if seen.has_ended() || listed.is_being_provisioned() => now - seen.at,
        Some(seen) => (now - seen.at) * RUNNING_WEIGHT,
    }
}

/// A group whose turn it is not: its state as last read, its tags as listed.
fn as_last_seen(listed: ObservedGroup, seen: Option<Seen>) -> ObservedGroup {
    match seen {
        None if listed.group.is_being_provisioned() => listed,
        None => ObservedGroup { look: Look::NotYet, ..listed },
        Some(seen) if seen.group.tags == listed.group.tags => ObservedGroup { group: seen.group, look: Look::Done },
        Some(seen) => {
            let group =
                ContainerGroup { containers: seen.group.containers.clone(), ..ContainerGroup::clone(&listed.group) };
            ObservedGroup { group: Arc::new(group), look: Look::Done }
        }
    }
}
