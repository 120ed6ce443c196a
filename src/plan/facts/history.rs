//! What has been done for a message so far.

use super::{Facts, KnownGroup};
use crate::container_group::GroupName;
use crate::message::{MessageAddress, MessageId};
use crate::plan::cause::AttemptEnd;
use crate::plan::memory::Attempt;
use crate::plan::snapshot::Look;

#[derive(Debug)]
pub(in crate::plan) enum History<'a> {
    Nothing,
    /// It has a group that is active.
    Running(&'a KnownGroup),
    /// A group of another message with its id still exists.
    Leftover(&'a GroupName),
    /// An operator restarts its count of attempts. This is the record of the last one.
    Retried(&'a KnownGroup),
    /// The last attempt at it is over. Its group, the record, may already be deleted.
    Attempted {
        last: Attempt,
        record: Option<&'a KnownGroup>,
    },
}

impl Facts<'_> {
    /// The groups for a message, including those that only their names identify.
    fn groups_of(&self, message: &MessageAddress, id: &MessageId) -> impl Iterator<Item = &KnownGroup> + Clone {
        let untagged = self.groups.has_untagged().then(|| self.recipe.stem(&message.subscription, id));
        let untagged = untagged.into_iter().flat_map(|stem| self.groups.untagged(&stem));
        self.groups.of_message(Some(&message.subscription), id).chain(untagged)
    }

    /// A group that does not name its subscription counts for every message with its id, and one that does not name its
    /// sequence number for every such message in its subscription.
    pub(in crate::plan) fn history(&self, message: &MessageAddress, id: &MessageId) -> History<'_> {
        let of_id = self.groups_of(message, id);
        if let Some(active) = of_id.clone().find(|known| known.state.is_active()) {
            return History::Running(active);
        }
        let record = newest(message, of_id.clone());
        // Without a record of its own, its next group could get the name of another message's group.
        if record.is_none()
            && let Some(leftover) = of_id.clone().next()
        {
            return History::Leftover(leftover.name());
        }
        match (self.last_attempt(record, Some(message)), record) {
            (Some(last), _) => History::Attempted { last, record },
            (None, Some(record)) => History::Retried(record),
            (None, None) => History::Nothing,
        }
    }

    /// Forgets attempts that no longer count because an operator restarted the count. A group that could not be read does not
    /// show that: it may be gone, and its tags may be old.
    pub(super) fn forget_what_a_retry_has_ended(&mut self) {
        let mut memory = std::mem::take(&mut self.memory.deleted_records);
        memory.retain(|message, deleted| {
            let id = message.message_id.as_ref();
            let read = |id| self.groups_of(message, id).filter(|known| known.look == Look::Done);
            let newest = id.and_then(|id| newest(message, read(id)));
            let before = newest.map(KnownGroup::attempts_before_next).unwrap_or_default();
            before == 0 || before == deleted.attempts_before
        });
        self.memory.deleted_records = memory;
    }

    /// How the last attempt at a message ended. `record` is its group, if it still exists.
    pub(in crate::plan) fn last_end(&self, record: Option<&KnownGroup>, message: &MessageAddress) -> AttemptEnd {
        let deleted = || Some(self.memory.deleted_records.get(message)?.end.clone());
        let counts = record.filter(|record| !record.group.is_retried());
        counts.map(KnownGroup::end).or_else(deleted).unwrap_or_default()
    }

    /// The last attempt at a message that counts. `record` is its group, if it still exists; it does not count if an operator
    /// restarts the count.
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
            // It already includes this record.
            Some(deleted) if last.ended_at <= deleted.attempt.ended_at => deleted.attempt,
            Some(deleted) => Attempt { number: last.number.saturating_add(deleted.uncounted), ..last },
            None => last,
        })
    }
}

/// The group of the newest attempt at a message, of those for messages with its id.
fn newest<'a>(message: &MessageAddress, of_id: impl Iterator<Item = &'a KnownGroup>) -> Option<&'a KnownGroup> {
    let is_of_it = |known: &&KnownGroup| known.sequence_number.is_none_or(|number| number == message.sequence_number);
    of_id.filter(is_of_it).max_by_key(|known| known.attempt)
}
