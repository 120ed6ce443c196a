//! How many ended groups stay as records, which ones, and what is remembered of the others.
//!
//! Azure counts records towards the region's quota of groups, which the scaler does not know. So the number of groups of all
//! kinds is limited to the cap and a quarter of it: a quota of that size is enough, however many attempts fail. Records beyond
//! that are deleted; the process remembers what they recorded until it ends.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use time::OffsetDateTime;

use super::verdict::Verdict;
use crate::message::SubscriptionName;
use crate::plan::decision::{Create, DeleteReason, GroupOutcome};
use crate::plan::facts::{Facts, GroupState, KnownGroup, KnownMessages};
use crate::plan::memory::{DeletedRecord, Gone, LastGroup, Memory};
use crate::plan::snapshot::Look;

/// How many records may always stay beside a full cap: enough to keep the breakers of two subscriptions open.
const MIN_RECORDS: u32 = 8;

/// The most attempts with deleted groups, and the most failed creates, to remember: many more than there can be records.
const MAX_REMEMBERED: usize = 10_000;

/// How many groups there may be of all kinds.
pub(crate) fn limit(max_instances: u32) -> usize {
    max_instances.saturating_add((max_instances / 4).max(MIN_RECORDS)) as usize
}

/// Deletes records that Azure may bill, and those that are too many.
pub(super) fn limit_records(verdicts: &mut [(&KnownGroup, Verdict)], facts: &Facts<'_>, creates: &[Create]) {
    let replaced: HashSet<_> =
        creates.iter().filter_map(|create| create.record.as_ref().map(|record| &record.name)).collect();
    // Another process may delete the record before this one, because this one follows it.
    let has_to_stay =
        |known: &KnownGroup| replaced.contains(known.name()) || facts.groups.attempt_before(known).is_some();
    let is_stuck = |known: &KnownGroup| {
        let is_old = |since| facts.now - since >= facts.rules.provisioning_timeout;
        facts.ages_count && known.billed_on_since.is_some_and(is_old)
    };
    let mut records: Vec<_> = verdicts.iter_mut().filter(|(_, verdict)| is_record(verdict)).collect();
    for (_, verdict) in records.extract_if(.., |(known, _)| is_stuck(known) && !has_to_stay(known)) {
        *verdict = Verdict::Delete(DeleteReason::Stuck);
    }
    // A group that could not be read may not exist, so it does not evict a record.
    let active = facts.groups.iter().filter(|known| known.look == Look::Done && known.state.is_active()).count();
    let groups = active + creates.len() + records.len();
    let excess = groups.saturating_sub(limit(facts.rules.max_instances)).min(records.len());
    least_needed_first(&mut records);
    for (_, verdict) in records.into_iter().filter(|(known, _)| !has_to_stay(known)).take(excess) {
        *verdict = Verdict::Delete(DeleteReason::Evicted);
    }
}

fn is_record(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Stay(GroupOutcome::Record { .. } | GroupOutcome::MessageUnknown))
}

/// Sorts records so that those whose loss matters least come first: the fewest attempts, which are soonest made again, and
/// among these the newest. The first and the last failure of a subscription keep its breaker open, so they come last.
fn least_needed_first(records: &mut [&mut (&KnownGroup, Verdict)]) {
    let mut ends: HashMap<Option<&SubscriptionName>, (OffsetDateTime, OffsetDateTime)> = HashMap::new();
    for (known, _) in records.iter() {
        let at = ended_at(known);
        let (first, last) = ends.entry(known.subscription.as_ref()).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
    }
    records.sort_by_cached_key(|(known, _)| {
        let at = ended_at(known);
        let (first, last) = ends[&known.subscription.as_ref()];
        (at == first || at == last, known.number(), Reverse(at), known.name().clone())
    });
}

fn ended_at(known: &KnownGroup) -> OffsetDateTime {
    match known.state {
        GroupState::Ended { at, .. } => at,
        _ => OffsetDateTime::UNIX_EPOCH,
    }
}

/// What this pass keeps of the memory of earlier passes.
pub(super) fn carry_over(facts: &Facts<'_>, messages: &KnownMessages<'_>) -> Memory {
    let Memory { deleted_records, create_failures, created_at, tags_are_rewritten, .. } = &facts.memory;
    let deleted_records = deleted_records.iter().filter(|(message, _)| !messages.is_gone(message));
    let create_failures = create_failures.iter().filter(|(message, _)| !messages.is_gone(message));
    Memory {
        conditions: HashMap::new(),
        last_groups: BTreeMap::new(),
        created_at: created_at.clone(),
        tags_are_rewritten: *tags_are_rewritten,
        has_seen_groups: true,
        deleted_records: deleted_records
            .take(MAX_REMEMBERED)
            .map(|(of, record)| (of.clone(), record.clone()))
            .collect(),
        create_failures: create_failures
            .take(MAX_REMEMBERED)
            .map(|(of, failure)| (of.clone(), failure.clone()))
            .collect(),
    }
}

/// Remembers a message's newest group, so that the next pass notices if somebody else deletes it.
pub(super) fn remember_group(memory: &mut Memory, facts: &Facts<'_>, messages: &KnownMessages<'_>, known: &KnownGroup) {
    let Some(message) = known.message().filter(|message| !messages.is_gone(message)) else { return };
    let newest = memory.last_groups.get(&message).map_or(0, |last| last.attempt);
    if known.look == Look::Done && newest <= known.attempt {
        let last = LastGroup { group: known.group.clone(), attempt: known.attempt, ended: known.as_attempt() };
        memory.last_groups.insert(message, last);
    } else if known.look != Look::Done
        && let Some(before) = facts.memory.last_groups.get(&message)
        && newest < before.attempt
        && (before.group.name == *known.name() || !facts.groups.contains(&before.group.name, &message))
    {
        // It may never have been created, so it does not show that the one before it was replaced.
        memory.last_groups.insert(message, before.clone());
    }
}

/// Remembers the count of attempts at a message whose only record is deleted.
pub(super) fn remember_deleted(memory: &mut Memory, facts: &Facts<'_>, known: &KnownGroup, reason: DeleteReason) {
    let is_lost = matches!(reason, DeleteReason::Evicted | DeleteReason::Stuck | DeleteReason::Overran);
    let Some(message) = known.message().filter(|_| is_lost && facts.rules.count_attempts()) else { return };
    if known.group.is_retried() {
        // An operator restarts the count.
        memory.deleted_records.remove(&message);
        return;
    }
    let gone = Gone {
        group: known.instance(),
        attempt: known.attempt,
        attempts_before: known.attempts_before,
        followed: facts.groups.attempt_before(known).unwrap_or_default(),
        ended: known.as_attempt(),
        end: known.end(),
    };
    let record = DeletedRecord::of(gone, facts.memory.deleted_records.get(&message), facts.now);
    memory.deleted_records.insert(message, record);
}
