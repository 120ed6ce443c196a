//! Which groups go, and why the others stay.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::attempts::{self, Next};
use super::breaker::Breaker;
use super::census::{Census, Entry, State};
use super::memory::{Attempt, Forgone, Mark, Memory, Place};
use super::presence::{Presence, Whereabouts};
use super::{Create, Delete, Keep, Marking, ObservedGroup, Plan, Reason, Rules, records};
use crate::container_group::ContainerGroup;

/// Tags that are set or taken away in a pass. Each is two requests, and each can wait: what it says is remembered.
const MAX_MARKINGS: usize = 20;

/// Attempts that are remembered although their groups had to go, and refusals: many more than there can be records of.
const MAX_REMEMBERED: usize = 10_000;

/// Decides about the groups; how many are created in this pass is known.
pub(super) fn plan_groups(
    plan: &mut Plan,
    groups: &[ObservedGroup],
    census: &Census,
    whereabouts: &Whereabouts<'_>,
    rules: &Rules,
    now: OffsetDateTime,
) {
    let witnesses = witnesses(census, rules, now);
    let mut judge = Judge { census, whereabouts, rules, now, witnesses, memory: Memory::default() };
    let mut verdicts: Vec<_> =
        groups.iter().zip(&census.entries).map(|(observed, entry)| judge.judge(observed, entry)).collect();
    judge.let_records_go(&mut verdicts, &plan.creates);

    for ((observed, entry), verdict) in groups.iter().zip(&census.entries).zip(verdicts) {
        let group = &observed.group;
        match verdict {
            Verdict::Go(reason) => {
                judge.remember(entry, reason);
                judge.date_end(group, entry);
                plan.deletes.push(Delete { group: group.clone(), reason });
            }
            Verdict::Stay(keep) => {
                plan.markings.extend(judge.mark(observed, entry));
                plan.keeps.push((group.name.clone(), keep));
            }
        }
    }
    plan.markings.truncate(MAX_MARKINGS);
    plan.memory = judge.into_memory();
}

enum Verdict {
    Go(Reason),
    Stay(Keep),
}

struct Judge<'a> {
    census: &'a Census,
    whereabouts: &'a Whereabouts<'a>,
    rules: &'a Rules,
    now: OffsetDateTime,
    witnesses: HashMap<&'a str, &'a Entry>,
    /// What the next pass has to know.
    memory: Memory,
}

impl Judge<'_> {
    fn judge(&self, observed: &ObservedGroup, entry: &Entry) -> Verdict {
        if let Some(error) = &observed.unread {
            return Verdict::Stay(Keep::Unread(error.clone()));
        }
        let presence = self.whereabouts.message_of(entry);
        let runs = matches!(entry.state, State::Active { running: true, .. });
        let is_orphan = runs && self.is_orphan(&observed.group, presence);
        if matches!(entry.state, State::Active { .. }) && !is_orphan {
            return Verdict::Stay(Keep::Active);
        }
        if observed.group.is_kept() {
            return Verdict::Stay(Keep::Kept);
        }
        if presence == Presence::Unread {
            return Verdict::Stay(Keep::SubscriptionUnread);
        }
        match entry.state {
            State::Active { .. } => Verdict::Go(Reason::Orphaned),
            State::Stuck { .. } => Verdict::Go(Reason::Stuck),
            State::Overran { .. } => Verdict::Go(Reason::Overran),
            State::Ended { .. } => self.judge_ended(entry, presence),
        }
    }

    fn judge_ended(&self, entry: &Entry, presence: Presence) -> Verdict {
        if self.rules.retry_backoff.is_zero() {
            return Verdict::Go(Reason::Finished);
        }
        if self.census.is_superseded_for_good(entry) {
            return Verdict::Go(Reason::Superseded);
        }
        match presence {
            Presence::Gone { .. } | Presence::SetAside if self.is_witness(entry) => Verdict::Stay(Keep::Witness),
            Presence::Gone { .. } | Presence::SetAside => Verdict::Go(Reason::Finished),
            Presence::Unknown => Verdict::Stay(Keep::MessageUnknown),
            Presence::Unread => Verdict::Stay(Keep::SubscriptionUnread),
            Presence::Waiting => {
                let last = self.census.last_attempt(Some(entry), &place(entry));
                let next = last.map(|last| attempts::next(&last, self.rules, self.now));
                let until = match next {
                    Some(Next::BackingOff { until }) => Some(until),
                    Some(Next::Due { .. } | Next::Parked) | None => None,
                };
                Verdict::Stay(Keep::Record { attempt: entry.attempt, until })
            }
        }
    }

    /// A running group goes only when a peek at its message's own sequence number has just failed to find it, and its
    /// message has been gone for long enough.
    fn is_orphan(&self, group: &ContainerGroup, presence: Presence) -> bool {
        let orphaned_for = Mark::Orphaned.tagged(group, self.now).map(|since| self.now - since);
        presence == Presence::Gone { looked_up: true }
            && self.rules.orphan_grace.zip(orphaned_for).is_some_and(|(grace, orphaned_for)| orphaned_for >= grace)
    }

    /// A success stays while it stands against failures, unless it is in the way of another message of its id.
    fn is_witness(&self, entry: &Entry) -> bool {
        let (Some(subscription), Some(id)) = (&entry.subscription, &entry.message_id) else { return false };
        let is_it = self.witnesses.get(subscription.as_str()).is_some_and(|witness| witness.name == entry.name);
        is_it && !self.whereabouts.is_waiting(subscription, id)
    }

    /// Lets records go that Azure may bill, or that are too many.
    fn let_records_go(&self, verdicts: &mut [Verdict], creates: &[Create]) {
        let is_record =
            |verdict: &Verdict| matches!(verdict, Verdict::Stay(Keep::Record { .. } | Keep::MessageUnknown));
        let records = (0..verdicts.len()).filter(|index| is_record(&verdicts[*index]));
        let replaced: HashSet<_> = creates.iter().filter_map(|create| create.after.as_ref()).collect();
        // Another process may let the record before one of these go, because this one follows it.
        let has_to_stay = |index: &usize| {
            let entry = &self.census.entries[*index];
            replaced.contains(&entry.name) || self.census.attempt_before(entry).is_some()
        };
        let is_stuck = |index: &usize| {
            let failing_since = self.census.entries[*index].failing_since;
            failing_since.is_some_and(|since| self.now - since >= self.rules.provisioning_timeout)
        };
        let (stuck, records): (Vec<_>, Vec<_>) = records.partition(|index| is_stuck(index) && !has_to_stay(index));
        for index in stuck {
            verdicts[index] = Verdict::Go(Reason::Stuck);
        }
        // What could not be read may not even be there, which is no reason to lose a record.
        let active = self.census.entries.iter().filter(|entry| entry.read && entry.state.is_active()).count();
        let groups = active + creates.len() + records.len();
        let excess = groups.saturating_sub(records::limit(self.rules.max_instances)).min(records.len());
        let records = records::order(self.census, records).into_iter().filter(|index| !has_to_stay(index));
        for index in records.take(excess) {
            verdicts[index] = Verdict::Go(Reason::Evicted);
        }
    }

    /// The count of attempts at a message must not go with a group that is its only record.
    fn remember(&mut self, entry: &Entry, reason: Reason) {
        let is_forgone = matches!(reason, Reason::Evicted | Reason::Stuck | Reason::Overran);
        if !is_forgone || entry.sequence_number.is_none() || self.rules.retry_backoff.is_zero() {
            return;
        }
        let before = self.census.memory.attempts.get(&place(entry));
        let forgone = match before {
            // It was to go in an earlier pass already.
            Some(before) if before.group == entry.instance() => before.clone(),
            _ => {
                // The next group is named after the record before this one, if there is one.
                let counted = self.census.attempt_before(entry).unwrap_or_default();
                let uncounted =
                    before.map_or(0, |before| before.uncounted).saturating_add(entry.attempt.saturating_sub(counted));
                let number = counted.saturating_add(uncounted);
                let ended = Attempt { number, ended_at: self.now, ran: time::Duration::ZERO, failed: true };
                let attempt = entry.as_attempt().map_or(ended, |attempt| Attempt { number, ..attempt });
                Forgone { attempt, uncounted, group: entry.instance() }
            }
        };
        self.memory.attempts.insert(place(entry), forgone);
    }

    /// An end that Azure does not date must not be dated anew if the delete fails.
    fn date_end(&mut self, group: &ContainerGroup, entry: &Entry) {
        if let (Some(Mark::Ended), State::Ended { at, .. }) = (self.condition(group, entry), entry.state) {
            self.memory.mark(group, Mark::Ended, at, self.now);
        }
    }

    /// The tags that a group should get or lose.
    fn mark(&mut self, ObservedGroup { group, unread }: &ObservedGroup, entry: &Entry) -> Option<Marking> {
        if unread.is_some() {
            return None;
        }
        let mark = self.condition(group, entry);
        let others = Mark::ALL.into_iter().any(|other| Some(other) != mark && group.tag(other.tag()).is_some());
        let Some(mark) = mark else {
            return others.then(|| Marking { group: group.name.clone(), mark: None });
        };
        let seen_since = self.census.memory.since(mark, group, self.now);
        self.memory.mark(group, mark, seen_since, self.now);
        let tagged = mark.tagged(group, self.now);
        let worth_it = tagged.is_none() && self.now - seen_since >= mark.tagged_after();
        // An end may be dated by what is remembered; the others are about to count against the group.
        let since = if mark == Mark::Ended { seen_since } else { self.now };
        (worth_it || others).then(|| Marking {
            group: group.name.clone(),
            mark: tagged.or(worth_it.then_some(since)).map(|at| (mark, at)),
        })
    }

    /// The condition of a group that nothing but its first sight dates.
    fn condition(&self, group: &ContainerGroup, entry: &Entry) -> Option<Mark> {
        match entry.state {
            State::Active { running: false, .. } | State::Stuck { .. } => Some(Mark::Waiting),
            State::Active { running: true, .. } => {
                let gone = matches!(self.whereabouts.message_of(entry), Presence::Gone { .. });
                (gone && self.rules.orphan_grace.is_some()).then_some(Mark::Orphaned)
            }
            State::Overran { .. } => None,
            State::Ended { .. } => {
                let dated = matches!(group.phase(), crate::container_group::Phase::Ended(ending)
                    if ending.at.is_some_and(|at| at <= self.now));
                (!dated).then_some(Mark::Ended)
            }
        }
    }

    fn into_memory(mut self) -> Memory {
        for (place, forgone) in &self.census.memory.attempts {
            if self.memory.attempts.len() < MAX_REMEMBERED && !self.whereabouts.is_gone(place) {
                self.memory.attempts.entry(place.clone()).or_insert_with(|| forgone.clone());
            }
        }
        let refusals = self.census.memory.refusals.iter().filter(|(place, _)| !self.whereabouts.is_gone(place));
        self.memory.refusals = refusals.take(MAX_REMEMBERED).map(|(place, of)| (place.clone(), *of)).collect();
        self.memory
    }
}

/// Where the message is that a group was made for; nowhere, for groups of an earlier scaler.
fn place(entry: &Entry) -> Place {
    (entry.subscription.clone().unwrap_or_default(), entry.sequence_number.unwrap_or_default())
}

/// The newest success of each subscription in which something has failed.
fn witnesses<'a>(census: &'a Census, rules: &Rules, now: OffsetDateTime) -> HashMap<&'a str, &'a Entry> {
    let mut newest: HashMap<&str, (OffsetDateTime, &Entry)> = HashMap::new();
    for entry in &census.entries {
        if let (Some(subscription), State::Ended { success: true, at, .. }) = (&entry.subscription, entry.state) {
            let best = newest.entry(subscription).or_insert((at, entry));
            if (at, &entry.name) > (best.0, &best.1.name) {
                *best = (at, entry);
            }
        }
    }
    newest.retain(|subscription, _| Breaker::of(census, subscription, rules, now).has_failures());
    newest.into_iter().map(|(subscription, (_, entry))| (subscription, entry)).collect()
}
