//! Groups that are gone and that this process has not deleted: a clean-up job, a policy, a person or another scaler has, or
//! nothing has come of a create that Azure had accepted. Each was an attempt at its message.

use std::collections::{BTreeMap, HashSet};

use time::{Duration, OffsetDateTime};

use super::{KnownGroup, KnownGroups};
use crate::message::MessageAddress;
use crate::plan::memory::{Attempt, DeletedRecord, LastGroup, Memory};

/// What is remembered of attempts whose groups have vanished since the last pass.
pub(super) fn vanished(
    groups: &KnownGroups,
    memory: &Memory,
    now: OffsetDateTime,
) -> BTreeMap<MessageAddress, DeletedRecord> {
    let is_there: HashSet<_> = groups.iter().map(KnownGroup::name).collect();
    let missing = memory.last_groups.iter().filter(|(_, last)| !is_there.contains(&last.group.name));
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
    let uncounted = before.saturating_add(last.attempt - counted);
    let number = counted.saturating_add(uncounted);
    let cut_short = Attempt { number, ended_at: now, ran: Duration::ZERO, failed: true };
    let attempt = last.ended.map_or(cut_short, |ended| Attempt { number, ..ended });
    DeletedRecord { attempt, uncounted, group: (last.group.name.clone(), attempt.ended_at) }
}
