//! Which groups are deleted, and why the others stay.
//!
//! A group is never deleted if its tags were rewritten, if an operator keeps it, if it could not be read, or if its
//! subscription could not be read. Of the others:
//!
//! * A group that has ended is deleted if and only if
//!   * its message is gone or set aside, unless the group is the last success of a subscription with failures;
//!   * or the next attempt has a group that will outlast this pass;
//!   * or there are too many records, or Azure may have been billing it for longer than a group may take to start
//!     ([`retention`]);
//!   * or attempts are not counted.
//! * Any other group is deleted if and only if
//!   * it did not start or did not end in time;
//!   * or orphans are to be deleted, and its message has been gone for long enough, as a peek at the message's own sequence
//!     number has just proved.

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

/// The most groups whose tags a pass changes. Each takes two requests, and each can wait: memory has what it says.
const MAX_TAG_CHANGES: usize = 20;

/// The part of a plan that is about groups.
pub(super) struct GroupPlan {
    pub(super) deletes: Vec<Delete>,
    pub(super) stay: Vec<(GroupName, GroupOutcome)>,
    pub(super) vanished: Vec<GroupName>,
    pub(super) tag_changes: Vec<TagChange>,
    pub(super) memory: Memory,
}

/// Decides about the groups, given those that this pass creates.
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
