//! How many terminal groups may stay as records.
//!
//! A record counts against the service's own quota of groups, which is not ours to know. So all groups together never
//! stay more than the cap and a quarter of it: a quota of that size is enough, however much fails. Records that are
//! too many go; what they recorded is remembered until the process ends.

use std::cmp::Reverse;
use std::collections::HashMap;

use time::OffsetDateTime;

use super::census::{Census, Entry, State};

/// Records that may stay besides a full cap, at the least: those that keep the breakers of two subscriptions open.
const MIN_RECORDS: u32 = 8;

/// How many groups there may be of all kinds.
pub(super) fn limit(max_instances: u32) -> usize {
    max_instances.saturating_add((max_instances / 4).max(MIN_RECORDS)) as usize
}

/// Puts records in the order in which they go, those first whose loss matters least: not the first and the last
/// failure of a subscription, which keep its breaker open; then those of the fewest attempts, which are soonest made
/// up for, and of these the newest.
pub(super) fn order(census: &Census, records: Vec<usize>) -> Vec<usize> {
    let mut ends: HashMap<Option<&str>, (OffsetDateTime, OffsetDateTime)> = HashMap::new();
    for index in &records {
        let entry = &census.entries[*index];
        let at = ended_at(entry);
        let (first, last) = ends.entry(entry.subscription.as_deref()).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
    }
    let mut records = records;
    records.sort_by_cached_key(|index| {
        let entry = &census.entries[*index];
        let at = ended_at(entry);
        let (first, last) = ends[&entry.subscription.as_deref()];
        (at == first || at == last, entry.attempt, Reverse(at), entry.name.clone())
    });
    records
}

fn ended_at(entry: &Entry) -> OffsetDateTime {
    match entry.state {
        State::Ended { at, .. } => at,
        _ => OffsetDateTime::UNIX_EPOCH,
    }
}
