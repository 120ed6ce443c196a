//! Groups that are gone and that this process did not delete: a clean-up job, a policy, a person or another scaler did, or
//! Azure accepted a create and never carried it out. Each counts as an attempt at its message.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;

use super::KnownGroups;
use crate::message::MessageAddress;
use crate::plan::cause::AttemptEnd;
use crate::plan::memory::{DeletedRecord, Gone, LastGroup, Memory};

/// Records of the attempts whose groups have vanished since the last pass.
pub(super) fn vanished(
    groups: &KnownGroups,
    memory: &Memory,
    now: OffsetDateTime,
) -> BTreeMap<MessageAddress, DeletedRecord> {
    let there: HashMap<_, _> = groups.iter().map(|known| (known.name(), known.sequence_number)).collect();
    let missing = memory.last_groups.iter().filter(|(message, last)| match there.get(&last.group.name) {
        // By now another message with its id may have a group with the same name.
        Some(number) => number.is_some_and(|number| number != message.sequence_number),
        None => true,
    });
    // If an operator tagged the group before it vanished, the message has no attempts and starts again, as it should.
    let missing = missing.filter(|(_, last)| !last.group.is_retried());
    let records = missing.filter_map(|(message, last)| {
        let id = message.message_id.as_ref()?;
        let others = groups.of_message(Some(&message.subscription), id);
        let others = others.filter(|other| other.sequence_number == Some(message.sequence_number));
        let latest = others.map(|other| other.attempt).max().unwrap_or_default();
        // Otherwise the next attempt already has its group.
        (latest < last.attempt).then(|| (message.clone(), record(memory, message, last, latest, now)))
    });
    records.collect()
}

fn record(
    memory: &Memory,
    message: &MessageAddress,
    last: &LastGroup,
    followed: u32,
    now: OffsetDateTime,
) -> DeletedRecord {
    let ended_at = last.ended.map_or(now, |ended| ended.ended_at);
    let reason = "its container group is gone, and this scaler did not delete it".to_owned();
    let gone = Gone {
        group: (last.group.name.clone(), ended_at),
        attempt: last.attempt,
        attempts_before: last.group.attempts_before().min(last.attempt - 1),
        followed,
        ended: last.ended,
        end: AttemptEnd { reason: Some(reason), since: Some(ended_at), ..AttemptEnd::default() },
    };
    DeletedRecord::of(gone, memory.deleted_records.get(message), now)
}
