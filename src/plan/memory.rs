//! What a pass hands on to the next one of the same process. It only ever puts something off: which attempt a group is,
//! and so its name, comes from the groups alone, or two processes would name one message's group differently.
//!
//! Nothing that has to survive the process is only here: the groups themselves are the record. What is lost with it
//! is how long a condition has lasted that no tag says yet, the counts of groups that were deleted before their message
//! was settled, and which groups Azure has refused; `docs/guarantees.md` says what that may cost.

use std::collections::{BTreeMap, HashMap};

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::container_group::{ContainerGroup, GroupName, tag};
use crate::message::{MessageAddress, SubscriptionName};

#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Since when groups have been seen in a condition that nothing dates.
    pub(crate) conditions: HashMap<GroupName, SeenCondition>,
    /// The last attempts at messages whose records were deleted.
    pub(super) deleted_records: BTreeMap<MessageAddress, DeletedRecord>,
    /// Messages whose groups Azure refuses.
    pub(super) refusals: BTreeMap<MessageAddress, Refusals>,
}

/// Since when a group has been seen in a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenCondition {
    /// Of the group's message: another message of its id gets a group of the same name.
    sequence_number: Option<i64>,
    condition: Condition,
    since: OffsetDateTime,
}

/// Refusals to create a message's group, for reasons of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusals {
    pub(super) count: u32,
    pub(super) last: OffsetDateTime,
}

/// An attempt at a message that is over, with the message still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// How many there have been, this one included.
    pub(super) number: u32,
    pub(super) ended_at: OffsetDateTime,
    pub(super) ran: Duration,
    /// Whether it failed; a worker may also do well with another message.
    pub(super) failed: bool,
}

/// An attempt whose group was deleted although it is the record of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeletedRecord {
    pub(super) attempt: Attempt,
    /// How many of the attempts no group's name counts any more. Groups that follow are named as if these had not been.
    pub(super) uncounted: u32,
    /// The group, which may still be there, and the moment that tells it from others of its name.
    pub(super) group: (GroupName, OffsetDateTime),
}

/// A condition that nothing dates but a tag. A group is deleted on the strength of its own tag only: what is remembered
/// may be of another group of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The group has not begun to run.
    Waiting,
    /// The group has ended, and Azure does not say when.
    Ended,
    /// The group runs, and its message is gone.
    Orphaned,
}

impl Condition {
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Ended, Self::Orphaned];

    /// The key of the tag that dates it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Waiting => tag::WAITING_SINCE,
            Self::Ended => tag::ENDED_SINCE,
            Self::Orphaned => tag::ORPHANED_SINCE,
        }
    }

    /// How long the condition must have been seen to last to be worth a tag. Every group waits for a minute or so.
    pub(super) fn tagged_after(self) -> Duration {
        match self {
            Self::Waiting => Duration::minutes(2),
            Self::Ended | Self::Orphaned => Duration::ZERO,
        }
    }

    /// Since when, by the group's own tag, unless that is nonsense or in the future.
    pub(super) fn tagged(self, group: &ContainerGroup, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let since = OffsetDateTime::parse(group.tag(self.tag())?, &Rfc3339).ok()?;
        (since <= now).then_some(since)
    }
}

impl Memory {
    /// Azure has refused to create a message's group.
    pub(crate) fn refuse(&mut self, message: &MessageAddress, now: OffsetDateTime) {
        let refusals = self.refusals.entry(message.clone()).or_insert(Refusals { count: 0, last: now });
        *refusals = Refusals { count: refusals.count.saturating_add(1), last: now };
    }

    /// Remembers since when a group has been in a condition, if its tag does not say so. If it does, and is gone later,
    /// that is another group of the same name.
    pub(super) fn see(
        &mut self,
        condition: Condition,
        group: &ContainerGroup,
        since: OffsetDateTime,
        now: OffsetDateTime,
    ) {
        if condition.tagged(group, now).is_none() {
            let seen = SeenCondition { sequence_number: group.sequence_number(), condition, since };
            self.conditions.insert(group.name.clone(), seen);
        }
    }

    /// Forgets what groups' own tags say from now on.
    pub(crate) fn leave_to_tags(&mut self, tagged: &[GroupName]) {
        self.conditions.retain(|group, _| !tagged.contains(group));
    }

    /// Since when a group has been in this condition: as its tag says, as earlier passes saw, or since now. What was seen
    /// before a container of it started was another group of the same name, or another condition.
    pub(super) fn since(&self, condition: Condition, group: &ContainerGroup, now: OffsetDateTime) -> OffsetDateTime {
        let is_of_this_group = |seen: &&SeenCondition| {
            seen.sequence_number == group.sequence_number()
                && seen.condition == condition
                && group.last_start().is_none_or(|start| start <= seen.since)
        };
        let remembered = || self.conditions.get(&group.name).filter(is_of_this_group).map(|seen| seen.since);
        condition.tagged(group, now).or_else(remembered).unwrap_or(now).min(now)
    }

    /// The remembered attempts at messages of a subscription.
    pub(super) fn attempts_in(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Iterator<Item = (&MessageAddress, Attempt)> {
        let first = MessageAddress { subscription: subscription.clone(), sequence_number: i64::MIN, message_id: None };
        let records = self.deleted_records.range(first..);
        let of_it = records.take_while(move |(address, _)| address.subscription == *subscription);
        of_it.map(|(address, record)| (address, record.attempt))
    }
}
