//! What a pass hands on to the next one of the same process. It only ever puts something off: which attempt a group is,
//! and so its name, comes from the groups alone, or two processes would name one message's group differently.
//!
//! Nothing that has to survive the process is only here: the groups themselves are the record. What is lost with it
//! is how long a condition has lasted that no tag says yet, the counts of groups that had to go before their message was
//! settled, and which groups Azure has refused; `docs/guarantees.md` says what that may cost.

use std::collections::{BTreeMap, HashMap};

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::MessageRef;
use super::attempts::backoff;
use crate::container_group::{ContainerGroup, GroupName, tag};

/// What has been seen in earlier passes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Since when groups have been seen in a condition that nothing dates.
    pub(crate) marks: HashMap<GroupOfMessage, (Mark, OffsetDateTime)>,
    /// The last attempts at messages whose groups had to go.
    pub(super) attempts: BTreeMap<Place, Forgone>,
    /// Messages whose groups Azure refuses.
    pub(super) refusals: BTreeMap<Place, Refusals>,
}

/// Refusals to create a message's group, for reasons of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusals {
    /// How many there have been.
    number: u32,
    /// When the last one was.
    last: OffsetDateTime,
}

/// A group and the sequence number of its message: another message of the same id gets a group of the same name.
pub(super) type GroupOfMessage = (GroupName, Option<i64>);

/// Where a message is: its subscription in lower case, and its sequence number.
pub(super) type Place = (String, i64);

/// Where a message of a subscription is.
pub(super) fn place(subscription: &str, sequence_number: i64) -> Place {
    (subscription.to_lowercase(), sequence_number)
}

/// An attempt at a message that is over, with the message still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// How many there have been, this one included.
    pub(super) number: u32,
    /// When it ended.
    pub(super) ended_at: OffsetDateTime,
    /// How long it ran.
    pub(super) ran: Duration,
    /// Whether it failed; a worker may also do well with another message.
    pub(super) failed: bool,
}

/// An attempt whose group had to go although it is the record of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forgone {
    pub(super) attempt: Attempt,
    /// How many of the attempts no group's name counts any more. Groups that follow are named as if these had not been.
    pub(super) uncounted: u32,
    /// The group, which may not have gone yet, and the moment that tells it from others of its name.
    pub(super) group: (GroupName, OffsetDateTime),
}

/// A condition that nothing dates but a tag. A group goes on the strength of its own tag only: what is remembered may be
/// of another group of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The group has not begun to run.
    Waiting,
    /// The group has ended, and Azure does not say when.
    Ended,
    /// The group runs, and its message is gone.
    Orphaned,
}

impl Mark {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Ended, Self::Orphaned];

    /// The tag that keeps it.
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

    /// What the group's tag says, unless that is nonsense or still to come.
    pub(super) fn tagged(self, group: &ContainerGroup, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let since = OffsetDateTime::parse(group.tag(self.tag())?, &Rfc3339).ok()?;
        (since <= now).then_some(since)
    }
}

impl Memory {
    /// Azure has refused to create a message's group.
    pub(crate) fn refuse(&mut self, message: &MessageRef, now: OffsetDateTime) {
        let place = place(&message.subscription, message.sequence_number);
        let refusals = self.refusals.entry(place).or_insert(Refusals { number: 0, last: now });
        *refusals = Refusals { number: refusals.number.saturating_add(1), last: now };
    }

    /// Until when a message's group is not asked for again, if it was refused.
    pub(super) fn refused_until(&self, place: &Place, retry_backoff: Duration) -> Option<OffsetDateTime> {
        let refusals = self.refusals.get(place)?;
        Some(refusals.last.saturating_add(backoff(retry_backoff, refusals.number)))
    }

    /// Remembers since when a group has been in a condition, if its tag does not say so. If it does, and is gone later,
    /// that is another group of the same name.
    pub(super) fn mark(&mut self, group: &ContainerGroup, mark: Mark, since: OffsetDateTime, now: OffsetDateTime) {
        if mark.tagged(group, now).is_none() {
            self.marks.insert((group.name.clone(), group.sequence_number()), (mark, since));
        }
    }

    /// Forgets what groups' own tags say from now on.
    pub(crate) fn leave_to_tags(&mut self, marked: &[GroupName]) {
        self.marks.retain(|(group, _), _| !marked.contains(group));
    }

    /// Since when a group has been in this condition: as its tag says, as earlier passes saw, or since now. What was seen
    /// before a container of it started was another group of the same name, or another condition.
    pub(super) fn since(&self, mark: Mark, group: &ContainerGroup, now: OffsetDateTime) -> OffsetDateTime {
        let this = (group.name.clone(), group.sequence_number());
        let is_of_it = |since: &OffsetDateTime| group.last_start().is_none_or(|start| start <= *since);
        let remembered = || self.marks.get(&this).filter(|(of, since)| *of == mark && is_of_it(since));
        mark.tagged(group, now).or_else(|| Some(remembered()?.1)).unwrap_or(now).min(now)
    }

    /// The attempts at messages of a subscription, named in lower case, by sequence number.
    pub(super) fn of_subscription(&self, subscription: &str) -> impl Iterator<Item = (i64, Attempt)> {
        let all = (subscription.to_owned(), i64::MIN)..=(subscription.to_owned(), i64::MAX);
        self.attempts.range(all).map(|((_, number), forgone)| (*number, forgone.attempt))
    }
}
