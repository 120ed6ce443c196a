//! Which groups are deleted, and why the others stay.
//!
//! A group whose tags are not ours is never deleted. Of the others:
//!
//! * A group that has ended is deleted if and only if it is managed, not kept, its subscription was not one that could not
//!   be read, and its message is known to be gone or set aside (unless it is its subscription's last success beside
//!   failures), or the next attempt has its own group already, which will last for a pass, or there are too many
//!   records ([`retention`]), or Azure may have been billing it for as long as a group is given to start, or no attempts are
//!   counted.
//! * Any other group is deleted if and only if it is managed, not kept, its subscription was not one that could not be
//!   read, and it did not start or did not end in its time, or orphans are to be deleted and a peek at its message's own
//!   sequence number has shown that the message is gone, for long enough.

mod conditions;
mod last_success;
pub(crate) mod retention;
mod verdict;

use super::decision::{Create, Delete, GroupOutcome, TagChange};
use super::facts::{Facts, KnownMessages};
use super::memory::Memory;
use crate::container_group::GroupName;
use conditions::Conditions;
use verdict::{Judge, Verdict};

/// Tags that are set or taken away in a pass. Each is two requests, and each can wait: what it says is remembered.
const MAX_TAG_CHANGES: usize = 20;

/// The part of a plan that is about groups.
pub(super) struct GroupPlan {
    pub(super) deletes: Vec<Delete>,
    pub(super) stay: Vec<(GroupName, GroupOutcome)>,
    pub(super) vanished: Vec<GroupName>,
    pub(super) tag_changes: Vec<TagChange>,
    pub(super) memory: Memory,
}

/// Decides about the groups; which are created in this pass is known.
pub(super) fn plan_groups(facts: &Facts<'_>, messages: &KnownMessages<'_>, creates: &[Create]) -> GroupPlan {
    let judge = Judge::new(facts, messages);
    let mut verdicts: Vec<_> = facts.groups.iter().map(|known| (known, judge.verdict(known))).collect();
    retention::limit_records(&mut verdicts, facts, creates);

    let conditions = Conditions { facts, messages };
    let mut memory = retention::carry_over(facts, messages);
    let (mut deletes, mut stay, mut tag_changes) = (Vec::new(), Vec::new(), Vec::new());
    for (known, verdict) in verdicts {
        match verdict {
            Verdict::Delete(reason) => {
                retention::remember_deleted(&mut memory, facts, known, reason);
                conditions.remember_end(&mut memory, known);
                deletes.push(Delete { group: known.group.clone(), reason });
            }
            Verdict::Stay(outcome) => {
                tag_changes.extend(conditions.tag_change(&mut memory, known));
                retention::remember_group(&mut memory, facts, messages, known);
                stay.push((known.name().clone(), outcome));
            }
        }
    }
    tag_changes.truncate(MAX_TAG_CHANGES);
    let vanished = facts.vanished.iter().filter(|(message, _)| !messages.is_gone(message));
    let vanished = vanished.map(|(_, group)| group.clone()).collect();
    GroupPlan { deletes, stay, vanished, tag_changes, memory }
}
