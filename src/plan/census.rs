//! The container groups there are, how far each has come, and which messages they were made for.

use std::collections::HashMap;

use time::{Duration, OffsetDateTime};

use super::memory::{Attempt, Mark, Memory, Place};
use super::{Capacity, ObservedGroup, Rules};
use crate::container_group::{ContainerGroup, GroupName, Phase, tag};
use crate::message::{FileSizeMb, MessageId};

/// As long as the host lets a pass take, which is more than clocks are wrong by.
const LONGEST_PASS: Duration = Duration::minutes(5);

/// The groups there are, by message and by subscription. Names of subscriptions have no case of their own.
#[derive(Debug)]
pub struct Census {
    pub(super) entries: Vec<Entry>,
    pub(super) memory: Memory,
    by_message_id: HashMap<String, Vec<usize>>,
    active_by_subscription: HashMap<String, u32>,
    capacity: Capacity,
}

/// A group.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: GroupName,
    /// In lower case; groups of an earlier scaler do not say.
    pub(super) subscription: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) sequence_number: Option<i64>,
    pub(super) attempt: u32,
    /// The size of its message's file, if it says so.
    pub(super) file_size: Option<FileSizeMb>,
    /// Whether it could be read. One that could not may not even be there: it may only have been asked for.
    pub(super) read: bool,
    /// Since when its provisioning has failed with Azure perhaps going on with it, as its tag says.
    pub(super) failing_since: Option<OffsetDateTime>,
    /// Whether it may get stuck or overrun before a pass that begins now has ended.
    pub(super) may_go_soon: bool,
    pub(super) state: State,
}

/// What a group is to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// At work or about to be, or nobody knows.
    Active {
        /// Since when it runs, if it does and Azure says.
        running_since: Option<OffsetDateTime>,
        running: bool,
    },
    /// It has not begun to run in the time that it is given. It counts as a failed attempt.
    Stuck { since: OffsetDateTime },
    /// It has run for longer than it may. It counts as a failed attempt.
    Overran { since: OffsetDateTime },
    /// It is terminal.
    Ended { success: bool, at: OffsetDateTime, ran: Duration },
}

/// What has been done for a message so far.
#[derive(Debug)]
pub(super) enum History<'a> {
    /// Nothing.
    None,
    /// It has a group that is active.
    Running(&'a GroupName),
    /// A group of another message of its id has not gone yet.
    Leftover(&'a GroupName),
    /// The last attempt at it is over; its group, the record of it, may have gone already.
    Attempted { last: Attempt, record: Option<&'a Entry> },
}

impl Census {
    /// Counts the groups. One whose containers could not be read counts as active.
    pub fn of(groups: &[ObservedGroup], memory: &Memory, rules: &Rules, now: OffsetDateTime) -> Self {
        let mut census = Self {
            entries: Vec::with_capacity(groups.len()),
            memory: memory.clone(),
            by_message_id: HashMap::new(),
            active_by_subscription: HashMap::new(),
            capacity: Capacity { max: rules.max_instances, active: 0 },
        };
        for observed in groups {
            census.count(Entry::of(observed, memory, rules, now));
        }
        census
    }

    fn count(&mut self, entry: Entry) {
        if entry.state.is_active() {
            self.capacity.active += 1;
            if let Some(subscription) = &entry.subscription {
                *self.active_by_subscription.entry(subscription.clone()).or_default() += 1;
            }
        }
        if let Some(message_id) = &entry.message_id {
            self.by_message_id.entry(message_id.clone()).or_default().push(self.entries.len());
        }
        self.entries.push(entry);
    }

    /// The cap, and how much of it is used.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// The active groups of a subscription.
    pub fn active_in(&self, subscription: &str) -> u32 {
        self.active_by_subscription.get(&subscription.to_lowercase()).copied().unwrap_or_default()
    }

    /// The groups of a subscription.
    pub(super) fn of_subscription(&self, subscription: &str) -> impl Iterator<Item = &Entry> {
        let subscription = subscription.to_lowercase();
        self.entries.iter().filter(move |entry| entry.subscription.as_ref() == Some(&subscription))
    }

    /// Sequence numbers of a subscription whose messages matter and may be beyond what a read has `covered`: those of
    /// terminal groups, and of running ones if orphans are to go.
    pub fn in_doubt(&self, subscription: &str, covered: i64, orphans: bool) -> Vec<i64> {
        let mut numbers: Vec<i64> = self
            .of_subscription(subscription)
            .filter_map(|entry| {
                let number = entry.sequence_number?;
                let wanted = match entry.state {
                    State::Ended { .. } => number > covered,
                    State::Active { running, .. } => orphans && running,
                    State::Stuck { .. } | State::Overran { .. } => false,
                };
                wanted.then_some(number)
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// What has been done for a message. A group that does not name its subscription is taken to be for any message
    /// of its id, and one that does not name its sequence number for any in its subscription.
    pub(super) fn history(&self, subscription: &str, id: &MessageId, sequence_number: i64) -> History<'_> {
        let subscription = subscription.to_lowercase();
        let of_id = || self.of_message(Some(&subscription), id.as_str());
        if let Some(active) = of_id().find(|entry| entry.state.is_active()) {
            return History::Running(&active.name);
        }
        let is_of_it = |entry: &&Entry| entry.sequence_number.is_none_or(|number| number == sequence_number);
        let record = of_id().filter(is_of_it).max_by_key(|entry| entry.attempt);
        if let Some(last) = self.last_attempt(record, &(subscription.clone(), sequence_number)) {
            return History::Attempted { last, record };
        }
        of_id().next().map_or(History::None, |entry| History::Leftover(&entry.name))
    }

    /// The last attempt at a message, of which this is the record, if it is still there.
    pub(super) fn last_attempt(&self, record: Option<&Entry>, place: &Place) -> Option<Attempt> {
        let forgone = self.memory.attempts.get(place);
        let Some(last) = record.and_then(Entry::as_attempt) else {
            return forgone.map(|forgone| forgone.attempt);
        };
        Some(match forgone {
            // It counts what came before it, this record too.
            Some(forgone) if last.ended_at <= forgone.attempt.ended_at => forgone.attempt,
            Some(forgone) => Attempt { number: last.number.saturating_add(forgone.uncounted), ..last },
            None => last,
        })
    }

    /// Whether a later attempt at the same message is there.
    pub(super) fn is_superseded(&self, entry: &Entry) -> bool {
        self.successors(entry).next().is_some()
    }

    /// Whether one is that will still be there when this group has gone, whatever another process does meanwhile.
    pub(super) fn is_superseded_for_good(&self, entry: &Entry) -> bool {
        self.successors(entry).any(|successor| !successor.may_go_soon)
    }

    fn successors(&self, entry: &Entry) -> impl Iterator<Item = &Entry> {
        let id = entry.message_id.iter();
        id.flat_map(|id| self.of_message(entry.subscription.as_ref(), id)).filter(|other| {
            let same = other.sequence_number == entry.sequence_number || entry.sequence_number.is_none();
            // One that is about to go will be followed by an attempt that needs this record.
            let stays = !matches!(other.state, State::Stuck { .. } | State::Overran { .. });
            same && other.read && stays && other.attempt > entry.attempt
        })
    }

    /// Which attempt the latest one before this was at the same message of which a group is still there, or may be.
    pub(super) fn attempt_before(&self, entry: &Entry) -> Option<u32> {
        let id = entry.message_id.as_ref()?;
        let same = self
            .of_message(entry.subscription.as_ref(), id)
            .filter(|other| other.sequence_number == entry.sequence_number);
        same.map(|other| other.attempt).filter(|attempt| *attempt < entry.attempt).max()
    }

    /// The groups for messages of an id, in a subscription or, if it is not known, in any.
    fn of_message(&self, subscription: Option<&String>, id: &str) -> impl Iterator<Item = &Entry> {
        let indices = self.by_message_id.get(id).map(Vec::as_slice).unwrap_or_default();
        indices.iter().map(|index| &self.entries[*index]).filter(move |entry| {
            match (&entry.subscription, subscription) {
                (Some(of), Some(subscription)) => of == subscription,
                _ => true,
            }
        })
    }
}

impl Entry {
    fn of(observed: &ObservedGroup, memory: &Memory, rules: &Rules, now: OffsetDateTime) -> Self {
        let group = &observed.group;
        Self {
            name: group.name.clone(),
            subscription: group.tag(tag::SUBSCRIPTION_NAME).filter(|name| !name.is_empty()).map(str::to_lowercase),
            message_id: group.tag(tag::MESSAGE_ID).map(str::to_owned),
            sequence_number: group.sequence_number(),
            attempt: group.attempt(),
            file_size: group.tag(tag::FILE_SIZE_MB).and_then(|size| FileSizeMb::from_text(size).ok()),
            read: observed.unread.is_none(),
            failing_since: Mark::Ended.tagged(group, now).filter(|_| group.may_go_on()),
            may_go_soon: goes_at(group, rules, now).is_some_and(|at| at - now < LONGEST_PASS),
            state: if observed.unread.is_some() {
                State::Active { running_since: None, running: false }
            } else {
                State::of(group, memory, rules, now)
            },
        }
    }

    /// The moment that tells it from others of its name, with the name.
    pub(super) fn instance(&self) -> (GroupName, OffsetDateTime) {
        let moment = match self.state {
            State::Stuck { since } | State::Overran { since } => since,
            State::Ended { at, .. } => at,
            State::Active { running_since, .. } => running_since.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        };
        (self.name.clone(), moment)
    }

    /// The attempt that it was, if it is over.
    pub(super) fn as_attempt(&self) -> Option<Attempt> {
        let State::Ended { success, at, ran } = self.state else { return None };
        Some(Attempt { number: self.attempt, ended_at: at, ran, failed: !success })
    }
}

/// When a group that is active will have been so for too long, at the earliest.
fn goes_at(group: &ContainerGroup, rules: &Rules, now: OffsetDateTime) -> Option<OffsetDateTime> {
    match group.phase() {
        Phase::Starting => Some(Mark::Waiting.tagged(group, now).unwrap_or(now) + rules.provisioning_timeout),
        Phase::Running { since } => Some(since? + rules.max_runtime?),
        Phase::Ended(_) => None,
    }
}

impl State {
    fn of(group: &ContainerGroup, memory: &Memory, rules: &Rules, now: OffsetDateTime) -> Self {
        match group.phase() {
            Phase::Starting => match Mark::Waiting.tagged(group, now) {
                Some(since) if now - since >= rules.provisioning_timeout => Self::Stuck { since },
                _ => Self::Active { running_since: None, running: false },
            },
            Phase::Running { since } => match (since, rules.max_runtime) {
                (Some(since), Some(limit)) if now - since >= limit => Self::Overran { since },
                _ => Self::Active { running_since: since, running: true },
            },
            Phase::Ended(ending) => Self::Ended {
                success: ending.success,
                // A moment that is still to come is nobody's; it would put the next attempt off for as long.
                at: ending.at.filter(|at| *at <= now).unwrap_or_else(|| memory.since(Mark::Ended, group, now)),
                ran: ending.ran,
            },
        }
    }

    /// Whether it holds a slot of the cap.
    pub(super) fn is_active(self) -> bool {
        !matches!(self, Self::Ended { .. })
    }
}
