//! Which groups are looked at in a pass.
//!
//! A list shows no container's state, so every group is looked at on its own, as long as Azure's allowance for reads lets it:
//! a burst of 250, and 25 a second after that. Of those that there is no allowance for, the last look counts.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::container_group::{ContainerGroup, GroupName, Liveness};
use crate::plan::{Look, ObservedGroup};
use crate::sync::Mutex;

/// Reads that Azure saves up for an identity.
const BURST: f64 = 250.0;

/// Reads that Azure grants an identity in a second.
const PER_SECOND: f64 = 25.0;

/// Reads that are left for the looks before creates and deletes.
const RESERVE: f64 = 50.0;

/// Looks in a second between passes: below what Azure grants, which others of the same identity share. With a pass every 10 s,
/// each of 200 groups is looked at every 20 s, each of 1,000 every minute.
const SUSTAINED_PER_SECOND: f64 = 18.0;

/// Looks that every pass may make, however short a time ago the last one was.
const LEAST: f64 = 50.0;

/// The longest that looking may take: with what was seen first older than that, there would be no time to create.
const LONGEST: Duration = Duration::from_secs(15);

/// How old a look counts as that was never made at a group that is only starting, of which the list shows most.
const NEVER_LOOKED_AT_WHILE_STARTING: Duration = Duration::from_secs(30);

/// What a running group's turn is worth: it may have ended, which no list shows.
const RUNNING_WEIGHT: u32 = 3;

/// The allowance, and what was seen at the last look at each group. It is kept from pass to pass.
#[derive(Debug, Default)]
pub(in crate::pass) struct Reads(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What was left of the burst, and when. At first all of it is there.
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
    /// As they were at the last look, if there was one.
    pub(super) others: Vec<ObservedGroup>,
}

impl Reads {
    /// Chooses the groups whose turn it is, of those that are equally urgent the first ones. `asked_for` are those that this process has asked for lately, and `longest` is the time
    /// that there is.
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

    /// Remembers what was seen.
    pub(super) fn remember(&self, read: &[ObservedGroup]) {
        let (mut state, at) = (self.0.lock(), Instant::now());
        for observed in read.iter().filter(|observed| observed.look == Look::Done) {
            let seen = Seen { group: observed.group.clone(), at };
            state.seen.insert(observed.group.name.clone(), seen);
        }
    }
}

impl State {
    /// Takes as many looks from the allowance as are wanted and there are.
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
    /// Whether it still holds for the group that is listed, as far as the list shows.
    fn is_of(&self, listed: &ContainerGroup) -> bool {
        self.group.provisioning_state == listed.provisioning_state
            && self.group.sequence_number() == listed.sequence_number()
    }

    fn has_ended(&self) -> bool {
        self.group.liveness() == Liveness::Terminal
    }
}

/// How much a look is worth: what nobody has seen first, then each in its turn.
fn urgency(listed: &ContainerGroup, seen: Option<&Seen>, now: Instant) -> Duration {
    match seen {
        None if listed.is_being_provisioned() => NEVER_LOOKED_AT_WHILE_STARTING,
        None => Duration::MAX,
        Some(seen) if seen.has_ended() || listed.is_being_provisioned() => now - seen.at,
        Some(seen) => (now - seen.at) * RUNNING_WEIGHT,
    }
}

/// A group whose turn it is not: its state as it was seen last, its tags as they are listed.
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
