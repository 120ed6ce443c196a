//! Groups that are gone and that this process has not deleted: a clean-up job, a policy, a person or another scaler has, or
//! nothing has come of a create that Azure had accepted. Each was an attempt at its message.

use std::collections::{BTreeMap, HashMap};

use time::{Duration, OffsetDateTime};

use super::KnownGroups;
use crate::message::MessageAddress;
use crate::plan::cause::AttemptEnd;
use crate::plan::memory::{Attempt, DeletedRecord, LastGroup, Memory};

/// What is remembered of attempts whose groups have vanished since the last pass.
pub(super) fn vanished(
    groups: &KnownGroups,
    memory: &Memory,
    now: OffsetDateTime,
) -> BTreeMap<MessageAddress, DeletedRecord> {
    let there: HashMap<_, _> = groups.iter().map(|known| (known.name(), known.sequence_number)).collect();
    let missing = memory.last_groups.iter().filter(|(message, last)| match there.get(&last.group.name) {
        // Another message of its id may have a group of the same name by now.
        Some(number) => number.is_some_and(|number| number != message.sequence_number),
        None => true,
    });
    // Whose record is gone that an operator has tagged has none any more, and starts again as it was to.
    let missing = missing.filter(|(_, last)| !last.group.is_retried());
    let counted = missing.filter_map(|(message, last)| {
        let id = message.message_id.as_ref()?;
        let others = groups.of_message(Some(&message.subscription), id);
        let others = others.filter(|other| other.sequence_number == Some(message.sequence_number));
        let counted = others.map(|other| other.attempt).max().unwrap_or_default();
        // The next attempt has been made already.
        (counted < last.attempt).then(|| (message.clone(), record(memory, message, last, counted, now)))
    });
    counted.collect()
}

fn record(
    memory: &Memory,
    message: &MessageAddress,
    last: &LastGroup,
    counted: u32,
    now: OffsetDateTime,
) -> DeletedRecord {
    let before = memory.deleted_records.get(message).map_or(0, |before| before.uncounted);
    let attempts_before = last.group.attempts_before().min(last.attempt - 1);
    let counted = counted.max(attempts_before);
    let uncounted = before.saturating_add(last.attempt - counted);
    let number = (counted - attempts_before).saturating_add(uncounted);
    let cut_short = Attempt { number, ended_at: now, ran: Duration::ZERO, failed: true };
    let attempt = last.ended.map_or(cut_short, |ended| Attempt { number, ..ended });
    let reason = "its container group is gone, and this scaler has not deleted it".to_owned();
    let end = AttemptEnd { reason: Some(reason), since: Some(attempt.ended_at), ..AttemptEnd::default() };
    DeletedRecord { attempt, end, uncounted, attempts_before, group: (last.group.name.clone(), attempt.ended_at) }
}
