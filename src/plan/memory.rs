//! What a pass hands on to the next one of the same process. It can only delay an attempt. The number of an attempt, which is
//! part of the group's name, comes from the groups alone; otherwise two processes would name one message's group differently.
//!
//! Nothing that must survive the process is only here: the groups themselves are the record. A restart loses how long
//! conditions without a tag have lasted, the counts of attempts whose groups were deleted before the message was settled, and
//! which creates failed. `docs/guarantees.md` says what that may cost.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::cause::AttemptEnd;
use super::policy::Rules;
use crate::container_group::{ContainerGroup, GroupName, tag};
use crate::message::{MessageAddress, SubscriptionName};

/// After Azure has refused to change a group's tags in this many passes, this process's own memory counts instead.
const MAX_REFUSED_TAGS: u32 = 3;

/// By how much the time of a pass may precede that of the pass before it: Azure's answers have whole seconds.
const MAX_CLOCK_STEP: Duration = Duration::seconds(2);

#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Since when groups have been in conditions that neither Azure nor a tag dates.
    pub(crate) conditions: HashMap<GroupName, SeenCondition>,
    /// The last attempts at messages whose records were deleted.
    pub(super) deleted_records: BTreeMap<MessageAddress, DeletedRecord>,
    /// The newest group of each message that may still be there, as the last pass left it.
    pub(super) last_groups: BTreeMap<MessageAddress, LastGroup>,
    /// Messages whose groups could not be created.
    pub(super) create_failures: BTreeMap<MessageAddress, CreateFailure>,
    /// When a group was last created for each subscription.
    pub(super) created_at: BTreeMap<SubscriptionName, OffsetDateTime>,
    /// Whether something removes the scaler's tags from new groups.
    pub(crate) tags_are_rewritten: bool,
    /// Whether this process made a pass before.
    pub(super) has_seen_groups: bool,
}

/// Since when a group has been in a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenCondition {
    /// The message's: another message with its id gets a group with the same name.
    sequence_number: Option<i64>,
    condition: Condition,
    since: OffsetDateTime,
    /// How often Azure refused to set the tag for it.
    refused_tags: u32,
}

/// The newest group of a message.
#[derive(Clone, Debug)]
pub(super) struct LastGroup {
    pub(super) group: Arc<ContainerGroup>,
    pub(super) attempt: u32,
    /// How it ended, if it has ended.
    pub(super) ended: Option<Attempt>,
}

/// Failures to create a message's group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CreateFailure {
    pub(super) count: u32,
    pub(super) last: OffsetDateTime,
    pub(super) cause: FailureCause,
    /// Whether the message may be tried again now, because a create has succeeded since.
    pub(super) forgiven: bool,
}

/// Why a group could not be created.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FailureCause {
    /// Azure's error code, or a few words.
    pub(crate) code: String,
    /// Azure's message in full.
    pub(crate) reason: String,
    pub(crate) kind: FailureKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FailureKind {
    /// Azure refuses it because of the message: its tags or its size. Other messages may do better.
    AboutMessage,
    /// Azure refuses it, and will do so until something is changed.
    Refused,
    /// It may succeed next time: Azure was busy, did not answer, or failed.
    Passing,
}

/// An attempt at a message that is over, with the message still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// How many attempts there have been, including this one.
    pub(super) number: u32,
    pub(super) ended_at: OffsetDateTime,
    pub(super) ran: Duration,
    /// Whether it failed. If not, its worker settled another message.
    pub(super) failed: bool,
}

/// An attempt whose group, its record, was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeletedRecord {
    pub(super) attempt: Attempt,
    pub(super) end: AttemptEnd,
    /// How many attempts no group's name counts any more. The names of later groups do not count them either.
    pub(super) uncounted: u32,
    /// How many attempts came before the count was last restarted.
    pub(super) attempts_before: u32,
    /// The group, which may still exist, and a time that tells it from others with its name.
    pub(super) group: (GroupName, OffsetDateTime),
    /// When the group was deleted, or was missed.
    pub(super) gone_at: OffsetDateTime,
}

/// A group that goes, or is gone, although its message may need another.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) group: (GroupName, OffsetDateTime),
    /// The number in its name.
    pub(super) attempt: u32,
    pub(super) attempts_before: u32,
    /// The number of the latest attempt before it whose group exists: the name of the next group follows that one.
    pub(super) followed: u32,
    /// How it ended, if it had ended.
    pub(super) ended: Option<Attempt>,
    pub(super) end: AttemptEnd,
}

impl DeletedRecord {
    /// Counts one more attempt than `before`.
    pub(super) fn of(gone: Gone, before: Option<&Self>, now: OffsetDateTime) -> Self {
        let Gone { group, attempt, attempts_before, followed, ended, end } = gone;
        if let Some(counted) = before.filter(|before| before.group == group) {
            return counted.clone();
        }
        let followed = followed.max(attempts_before);
        let uncounted = before.map_or(0, |before| before.uncounted).saturating_add(attempt.saturating_sub(followed));
        let number = (followed - attempts_before).saturating_add(uncounted);
        let ended = ended.unwrap_or(Attempt { number, ended_at: now, ran: Duration::ZERO, failed: true });
        // A later attempt may have gone earlier; then the message waits from the end of that one.
        let (last, end) = match before {
            Some(before) if before.attempt.ended_at > ended.ended_at => (before.attempt, before.end.clone()),
            _ => (ended, end),
        };
        Self { attempt: Attempt { number, ..last }, end, uncounted, attempts_before, group, gone_at: now }
    }

    /// Until when another process, for which the group was still there, may create the one that follows it, and this process may
    /// not see that. Without the group, this process would give the next one another name.
    pub(super) fn may_be_followed_until(&self, rules: &Rules) -> OffsetDateTime {
        // A look-up is 5 s old at most when its PUT is sent; a quarter of a back-off covers late requests and lists that lag.
        self.gone_at + rules.retry_backoff / 2
    }
}

/// A condition that only a tag dates. A group is deleted only if its own tag says so: memory may be about another group with
/// the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The group does not run yet.
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

    /// Since when, by the group's own tag. A time in the future is ignored.
    pub(super) fn tagged(self, group: &ContainerGroup, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let since = OffsetDateTime::parse(group.tag(self.tag())?, &Rfc3339).ok()?;
        (since <= now + MAX_CLOCK_STEP).then_some(since.min(now))
    }
}

impl Memory {
    /// Remembers that a message's group could not be created.
    pub(crate) fn create_failed(&mut self, message: MessageAddress, cause: FailureCause, now: OffsetDateTime) {
        let count = self.create_failures.get(&message).map_or(0, |failure| failure.count).saturating_add(1);
        self.create_failures.insert(message, CreateFailure { count, last: now, cause, forgiven: false });
    }

    /// Remembers that a message's group was created. A create that failed once, for a reason that passes by itself, is tried
    /// again at once; if it fails again, it has a reason of its own.
    pub(crate) fn create_succeeded(
        &mut self,
        message: MessageAddress,
        group: Arc<ContainerGroup>,
        now: OffsetDateTime,
    ) {
        self.create_failures.remove(&message);
        self.created_at.insert(message.subscription.clone(), now);
        let attempt = group.attempt_in_name();
        self.last_groups.insert(message, LastGroup { group, attempt, ended: None });
        for failure in self.create_failures.values_mut() {
            failure.forgiven |= failure.cause.kind == FailureKind::Passing && failure.count == 1;
        }
    }

    /// Remembers when groups were deleted, or may have been.
    pub(crate) fn deleted(&mut self, groups: &HashSet<&GroupName>, now: OffsetDateTime) {
        for record in self.deleted_records.values_mut().filter(|record| groups.contains(&record.group.0)) {
            record.gone_at = now;
        }
    }

    /// Groups that existed, or had been requested, when the last pass ended.
    pub(crate) fn last_groups(&self) -> impl Iterator<Item = &Arc<ContainerGroup>> {
        self.last_groups.values().map(|last| &last.group)
    }

    /// Remembers that Azure refused to change the tags of groups.
    pub(crate) fn tags_refused(&mut self, groups: &[GroupName]) {
        for group in groups {
            if let Some(seen) = self.conditions.get_mut(group) {
                seen.refused_tags += 1;
            }
        }
    }

    /// Since when this process has seen a group in a condition, if Azure keeps refusing the tag for it.
    pub(super) fn watched_since(&self, condition: Condition, group: &ContainerGroup) -> Option<OffsetDateTime> {
        let seen = self.seen(condition, group)?;
        (seen.refused_tags >= MAX_REFUSED_TAGS).then_some(seen.since)
    }

    /// This memory with times in the future set to now: a clock was wrong.
    pub(super) fn as_of(&self, now: OffsetDateTime) -> Self {
        let mut memory = self.clone();
        for failure in memory.create_failures.values_mut() {
            failure.last = failure.last.min(now);
        }
        for record in memory.deleted_records.values_mut() {
            record.attempt.ended_at = record.attempt.ended_at.min(now);
            record.gone_at = record.gone_at.min(now);
        }
        for seen in memory.conditions.values_mut() {
            seen.since = seen.since.min(now);
        }
        for created_at in memory.created_at.values_mut() {
            *created_at = (*created_at).min(now);
        }
        memory
    }

    fn seen(&self, condition: Condition, group: &ContainerGroup) -> Option<&SeenCondition> {
        self.conditions.get(&group.name).filter(|seen| {
            seen.sequence_number == group.sequence_number()
                && seen.condition == condition
                && group.last_start().is_none_or(|start| start <= seen.since)
        })
    }

    /// Remembers since when a group has been in a condition, unless its tag says so. If the tag is gone later, that is another
    /// group with the same name.
    pub(super) fn see(&mut self, condition: Condition, group: &ContainerGroup, earlier: &Memory, now: OffsetDateTime) {
        let since = earlier.since(condition, group, now);
        let refused_tags = earlier.seen(condition, group).map_or(0, |seen| seen.refused_tags);
        if condition.tagged(group, now).is_none() {
            let seen = SeenCondition { sequence_number: group.sequence_number(), condition, since, refused_tags };
            self.conditions.insert(group.name.clone(), seen);
        }
    }

    /// Forgets conditions that the groups' own tags now date.
    pub(crate) fn leave_to_tags(&mut self, tagged: &[GroupName]) {
        self.conditions.retain(|group, _| !tagged.contains(group));
    }

    /// Since when a group has been in this condition: by its tag, by memory, or since now. What was seen before one of its
    /// containers started was another group with the same name, or another condition.
    pub(super) fn since(&self, condition: Condition, group: &ContainerGroup, now: OffsetDateTime) -> OffsetDateTime {
        let remembered = || self.seen(condition, group).map(|seen| seen.since);
        condition.tagged(group, now).or_else(remembered).unwrap_or(now).min(now)
    }

    /// The remembered attempts at messages of a subscription.
    pub(super) fn attempts_in(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Iterator<Item = (&MessageAddress, &DeletedRecord)> {
        let first = MessageAddress { subscription: subscription.clone(), sequence_number: i64::MIN, message_id: None };
        let records = self.deleted_records.range(first..);
        records.take_while(move |(address, _)| address.subscription == *subscription)
    }
}
