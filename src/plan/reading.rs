//! What a pass must read before it can plan. Observe asks the rules nothing else.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::capacity::Capacity;
use super::facts::{Facts, GroupState, KnownGroup};
use super::memory::Memory;
use super::messages::eligibility::Eligibility;
use super::policy::Policy;
use super::snapshot::ObservedGroup;
use crate::message::{MessageAddress, MessageId, MessageState, PeekedMessage, SubscriptionName, partition_of};

/// How far to read, given the groups.
#[derive(Debug)]
pub struct Reading<'a> {
    facts: Facts<'a>,
    has_seen_partitions: bool,
}

impl<'a> Reading<'a> {
    pub fn of(groups: &[ObservedGroup], memory: &Memory, policy: &'a Policy, now: OffsetDateTime) -> Self {
        let facts = Facts::of(groups, memory, policy, now);
        let of_groups = facts.groups.iter().filter_map(|known| known.sequence_number);
        let remembered = remembered(memory).map(|message| message.sequence_number);
        let has_seen_partitions = of_groups.chain(remembered).any(|number| partition_of(number) > 0);
        Self { facts, has_seen_partitions }
    }

    /// Whether a group's sequence number, or a remembered one, shows that the topic is partitioned.
    pub fn has_seen_partitions(&self) -> bool {
        self.has_seen_partitions
    }

    /// Counts whether a subscription's messages are enough while the states of the groups are still being read. A listed group
    /// counts as active, so that this never asks for more messages than [`Reading::demand`].
    pub fn first_demand(&'a self, subscription: &'a SubscriptionName) -> Demand<'a> {
        Demand::new(self.capacity(), Count::WithoutGroup { facts: &self.facts, subscription, seen: HashSet::new() })
    }

    /// Counts whether a subscription's messages are enough for all free slots, once the groups' states are known.
    pub fn demand(&'a self, subscription: &'a SubscriptionName) -> Demand<'a> {
        Demand::new(self.capacity(), Count::Eligible(Eligibility::new(&self.facts, subscription)))
    }

    /// The sequence numbers to peek one by one, because their messages decide about groups and may be beyond what a read has
    /// `covered`: those of groups that have ended, and of running ones if orphans are to be deleted.
    pub fn to_look_up(&self, subscription: &SubscriptionName, covered: i64) -> Vec<i64> {
        let orphans = self.facts.rules.orphan_grace.is_some();
        let matters = |known: &KnownGroup, number: i64| match known.state {
            GroupState::Ended { .. } => number > covered,
            GroupState::Active { running, .. } => orphans && running,
            GroupState::Stuck { .. } | GroupState::Overran { .. } => false,
        };
        let known = self.facts.groups.in_subscription(subscription);
        in_order(known.filter_map(|known| known.sequence_number.filter(|number| matters(known, *number))))
    }

    /// The sequence numbers of a subscription's messages that are only in memory and may be beyond what a read has `covered`.
    /// They need a peek only where no read ever covers anything, as they would otherwise never be forgotten.
    pub fn to_forget(&self, subscription: &SubscriptionName, covered: i64) -> Vec<i64> {
        let of_it = remembered(&self.facts.memory).filter(|message| message.subscription == *subscription);
        in_order(of_it.map(|message| message.sequence_number).filter(|number| *number > covered))
    }

    /// Whether messages that came in no order are enough for all free slots. Only the order shows which of several messages with
    /// one id is served.
    pub fn is_met_by(&self, subscription: &SubscriptionName, mut messages: Vec<PeekedMessage>) -> bool {
        self.put_in_order(subscription, &mut messages);
        self.demand(subscription).is_met_by(&messages)
    }

    /// Puts messages that came in no order into the order in which they are served: the oldest first, but of several with one
    /// id the one that has a group first, because the others must wait until that group is gone.
    pub fn put_in_order(&self, subscription: &SubscriptionName, messages: &mut [PeekedMessage]) {
        let groups = self.facts.groups.in_subscription(subscription);
        let served: HashSet<i64> = groups.filter_map(|known| known.sequence_number).collect();
        messages.sort_by_key(|message| (message.enqueued_at, message.sequence_number));
        let mut first_of: HashMap<MessageId, usize> = HashMap::new();
        for place in 0..messages.len() {
            let Ok(id) = messages[place].message_id.clone() else { continue };
            let first = *first_of.entry(id).or_insert(place);
            let is_served = |place: usize| served.contains(&messages[place].sequence_number);
            if is_served(place) && !is_served(first) {
                messages.swap(first, place);
            }
        }
    }

    fn capacity(&self) -> Capacity {
        self.facts.groups.capacity()
    }
}

/// Messages that are remembered and may have no group.
fn remembered(memory: &Memory) -> impl Iterator<Item = &MessageAddress> {
    memory.deleted_records.keys().chain(memory.create_failures.keys())
}

fn in_order(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Counts a subscription's messages until there are enough for all free slots.
#[derive(Debug)]
pub struct Demand<'a> {
    wanted: usize,
    counted: usize,
    read: usize,
    count: Count<'a>,
}

#[derive(Debug)]
enum Count<'a> {
    /// Messages that have no group of any kind.
    WithoutGroup { facts: &'a Facts<'a>, subscription: &'a SubscriptionName, seen: HashSet<MessageId> },
    /// Messages that may get a group.
    Eligible(Eligibility<'a>),
}

impl<'a> Demand<'a> {
    fn new(capacity: Capacity, count: Count<'a>) -> Self {
        Self { wanted: capacity.free() as usize, counted: 0, read: 0, count }
    }

    /// Whether these messages are enough. Each call must pass all messages read so far, in order; those of the last call are not
    /// counted again.
    pub fn is_met_by(&mut self, messages: &[PeekedMessage]) -> bool {
        let new = &messages[self.read..];
        self.count.reserve(new.len());
        for message in new {
            self.counted += usize::from(self.count.counts(message));
        }
        self.read = messages.len();
        self.counted >= self.wanted
    }
}

impl Count<'_> {
    /// Makes room for this many more messages.
    fn reserve(&mut self, messages: usize) {
        match self {
            Self::Eligible(eligibility) => eligibility.reserve(messages),
            Self::WithoutGroup { seen, .. } => seen.reserve(messages),
        }
    }

    fn counts(&mut self, message: &PeekedMessage) -> bool {
        match self {
            Self::Eligible(eligibility) => eligibility.judge(message).is_ok(),
            Self::WithoutGroup { facts, subscription, seen } => {
                let Ok(id) = &message.message_id else { return false };
                message.state == MessageState::Active
                    && message.file_size_mb.is_ok()
                    && facts.groups.of_message(Some(subscription), id).next().is_none()
                    && seen.insert(id.clone())
            }
        }
    }
}
