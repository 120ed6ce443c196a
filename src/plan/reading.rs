//! What a pass has to read before it can plan. This is all that observing may ask of the rules.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::decision::Capacity;
use super::facts::{Facts, GroupState, KnownGroup};
use super::memory::Memory;
use super::messages::eligibility::Eligibility;
use super::policy::Rules;
use super::snapshot::ObservedGroup;
use crate::message::{MessageId, MessageState, PeekedMessage, SubscriptionName};

/// What the groups say of how far to read.
#[derive(Debug)]
pub struct Reading<'a> {
    facts: Facts<'a>,
}

impl<'a> Reading<'a> {
    pub fn of(groups: &[ObservedGroup], memory: &'a Memory, rules: &'a Rules, now: OffsetDateTime) -> Self {
        Self { facts: Facts::of(groups, memory, rules, now) }
    }

    /// Whether a subscription's messages are enough while the states of the groups are still being read: a group in a
    /// list counts as active, so that this never asks for more than [`Reading::demand`] will.
    pub fn first_demand(&'a self, subscription: &'a SubscriptionName) -> Demand<'a> {
        Demand::new(self.capacity(), Count::WithoutGroup { facts: &self.facts, subscription, seen: HashSet::new() })
    }

    /// Whether a subscription's messages are enough for all free slots, now that the groups' states are known.
    pub fn demand(&'a self, subscription: &'a SubscriptionName) -> Demand<'a> {
        Demand::new(self.capacity(), Count::Eligible(Eligibility::new(&self.facts, subscription)))
    }

    /// The sequence numbers of a subscription whose messages matter and may be beyond what a read has `covered`: those of
    /// groups that have ended, and of running ones if orphans are to be deleted.
    pub fn to_look_up(&self, subscription: &SubscriptionName, covered: i64) -> Vec<i64> {
        let orphans = self.facts.rules.orphan_grace.is_some();
        let matters = |known: &KnownGroup, number: i64| match known.state {
            GroupState::Ended { .. } => number > covered,
            GroupState::Active { running, .. } => orphans && running,
            GroupState::Stuck { .. } | GroupState::Overran { .. } => false,
        };
        let known = self.facts.groups.in_subscription(subscription);
        let mut numbers: Vec<i64> =
            known.filter_map(|known| known.sequence_number.filter(|number| matters(known, *number))).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn capacity(&self) -> Capacity {
        self.facts.groups.capacity()
    }
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
    /// Those that have no group of any kind.
    WithoutGroup { facts: &'a Facts<'a>, subscription: &'a SubscriptionName, seen: HashSet<MessageId> },
    /// Those that may get one.
    Eligible(Eligibility<'a>),
}

impl<'a> Demand<'a> {
    fn new(capacity: Capacity, count: Count<'a>) -> Self {
        Self { wanted: capacity.free() as usize, counted: 0, read: 0, count }
    }

    /// Whether these are enough. They are all messages that were read, in order; those of the last call are not counted
    /// again.
    pub fn is_met_by(&mut self, messages: &[PeekedMessage]) -> bool {
        for message in &messages[self.read..] {
            self.counted += usize::from(self.count.counts(message));
        }
        self.read = messages.len();
        self.counted >= self.wanted
    }
}

impl Count<'_> {
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
