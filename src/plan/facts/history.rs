//! What has been done for a message so far.

use super::{Facts, KnownGroup};
use crate::container_group::GroupName;
use crate::message::{MessageAddress, MessageId};
use crate::plan::cause::AttemptEnd;
use crate::plan::memory::Attempt;

#[derive(Debug)]
pub(in crate::plan) enum History<'a> {
    Nothing,
    /// It has a group that is active.
    Running(&'a KnownGroup),
    /// A group of another message of its id is still there.
    Leftover(&'a GroupName),
    /// An operator lets its count start again; this is the record of its last attempt.
    Retried(&'a KnownGroup),
    /// The last attempt at it is over; its group, the record of it, may be gone already.
    Attempted {
        last: Attempt,
        record: Option<&'a KnownGroup>,
    },
}

impl Facts<'_> {
    /// The groups for a message, those included that only their names tell of.
    fn groups_of(&self, message: &MessageAddress, id: &MessageId) -> impl Iterator<Item = &KnownGroup> {
        let untagged = self.groups.has_untagged().then(|| self.recipe.stem(&message.subscription, id));
        let untagged = untagged.into_iter().flat_map(|stem| self.groups.untagged(&stem));
        self.groups.of_message(Some(&message.subscription), id).chain(untagged)
    }

    /// A group that does not name its subscription is taken to be for any message of its id, and one that does not name
    /// its sequence number for any in its subscription.
    pub(in crate::plan) fn history(&self, message: &MessageAddress, id: &MessageId) -> History<'_> {
        let of_id = || self.groups_of(message, id);
        if let Some(active) = of_id().find(|known| known.state.is_active()) {
            return History::Running(active);
        }
        let record = self.newest(message, id);
        // Without its own record its next group would be named as another message's may be.
        if record.is_none()
            && let Some(leftover) = of_id().next()
        {
            return History::Leftover(leftover.name());
        }
        match (self.last_attempt(record, Some(message)), record) {
            (Some(last), _) => History::Attempted { last, record },
            (None, Some(record)) => History::Retried(record),
            (None, None) => History::Nothing,
        }
    }

    /// The group of the newest attempt at a message.
    fn newest(&self, message: &MessageAddress, id: &MessageId) -> Option<&KnownGroup> {
        let is_of_it =
            |known: &&KnownGroup| known.sequence_number.is_none_or(|number| number == message.sequence_number);
        self.groups_of(message, id).filter(is_of_it).max_by_key(|known| known.attempt)
    }

    /// What is remembered of attempts that an operator's retry has ended counts no more.
    pub(super) fn forget_what_a_retry_has_ended(&mut self) {
        let mut memory = std::mem::take(&mut self.memory.deleted_records);
        memory.retain(|message, deleted| {
            let newest = message.message_id.as_ref().and_then(|id| self.newest(message, id));
            let before = newest.map(KnownGroup::attempts_before_next).unwrap_or_default();
            before == 0 || before == deleted.attempts_before
        });
        self.memory.deleted_records = memory;
    }

    /// How the last attempt at a message ended, of which this is the record, if it is still there.
    pub(in crate::plan) fn last_end(&self, record: Option<&KnownGroup>, message: &MessageAddress) -> AttemptEnd {
        let deleted = || Some(self.memory.deleted_records.get(message)?.end.clone());
        let counts = record.filter(|record| !record.group.is_retried());
        counts.map(KnownGroup::end).or_else(deleted).unwrap_or_default()
    }

    /// The last attempt at a message, of which this is the record, if it is still there and an operator has not let the count
    /// start again.
    pub(in crate::plan) fn last_attempt(
        &self,
        record: Option<&KnownGroup>,
        message: Option<&MessageAddress>,
    ) -> Option<Attempt> {
        let deleted = message.and_then(|message| self.memory.deleted_records.get(message));
        let counts = record.filter(|record| !record.group.is_retried());
        let Some(last) = counts.and_then(KnownGroup::as_attempt) else {
            return deleted.map(|deleted| deleted.attempt);
        };
        Some(match deleted {
            // It counts what came before it, this record too.
            Some(deleted) if last.ended_at <= deleted.attempt.ended_at => deleted.attempt,
            Some(deleted) => Attempt { number: last.number.saturating_add(deleted.uncounted), ..last },
            None => last,
        })
    }
}
