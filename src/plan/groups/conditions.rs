//! Since when groups have been in conditions that Azure does not date: first in memory, then in tags.

use time::Duration;

use crate::container_group::{Ownership, Phase};
use crate::plan::decision::TagChange;
use crate::plan::facts::{Facts, GroupState, KnownGroup, KnownMessages, MessageStatus};
use crate::plan::memory::{Condition, Memory};
use crate::plan::snapshot::Look;

pub(super) struct Conditions<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) messages: &'a KnownMessages<'a>,
}

impl Conditions<'_> {
    /// If Azure does not date the end of a group and its delete fails, the next pass must not take the end to be later.
    pub(super) fn remember_end(&self, memory: &mut Memory, known: &KnownGroup) {
        if self.condition(known) == Some(Condition::Ended) {
            memory.see(Condition::Ended, &known.group, &self.facts.memory, self.facts.now);
        }
    }

    /// The tags that a group gets or loses. A condition that is not worth a tag yet is remembered.
    pub(super) fn tag_change(&self, memory: &mut Memory, known: &KnownGroup) -> Option<TagChange> {
        if known.look != Look::Done {
            return None;
        }
        let (group, now) = (&known.group, self.facts.now);
        let condition = self.condition(known);
        let is_outdated = |other: &Condition| Some(*other) != condition && group.tag(other.tag()).is_some();
        let outdated = Condition::ALL.iter().any(is_outdated);
        let Some(condition) = condition else {
            return (outdated && known.ownership != Ownership::Untagged)
                .then(|| TagChange { group: group.name.clone(), condition: None });
        };
        let seen_since = self.facts.memory.since(condition, group, now);
        memory.see(condition, group, &self.facts.memory, now);
        if known.ownership == Ownership::Untagged {
            return None;
        }
        let tagged = condition.tagged(group, now);
        let worth_it = tagged.is_none() && now - seen_since >= self.tagged_after(condition);
        // The tag of an end may go back to when it was first seen. The others count against the group, and begin now.
        let since = if condition == Condition::Ended { seen_since } else { now };
        (worth_it || outdated).then(|| TagChange {
            group: group.name.clone(),
            condition: tagged.or(worth_it.then_some(since)).map(|at| (condition, at)),
        })
    }

    /// How long a condition must have lasted to be worth a tag. Every group waits for a minute or so before it runs. In its
    /// first pass a process tags at once, because a process that restarts often would otherwise never tag.
    fn tagged_after(&self, condition: Condition) -> Duration {
        match condition {
            Condition::Waiting if self.facts.memory.has_seen_groups => Duration::minutes(2),
            Condition::Waiting | Condition::Ended | Condition::Orphaned => Duration::ZERO,
        }
    }

    fn condition(&self, known: &KnownGroup) -> Option<Condition> {
        match known.state {
            GroupState::Active { running: false, .. } | GroupState::Stuck { .. } => Some(Condition::Waiting),
            GroupState::Active { running: true, .. } => {
                let gone = matches!(self.messages.status_of(known), MessageStatus::Gone { .. });
                (gone && self.facts.rules.orphan_grace.is_some()).then_some(Condition::Orphaned)
            }
            GroupState::Overran { .. } => None,
            GroupState::Ended { .. } => {
                let dated = matches!(known.group.phase(), Phase::Ended(ending)
                    if ending.at.is_some_and(|at| at <= self.facts.now));
                // The tag also says since when Azure may have been billing a group whose work has ended.
                (!dated || known.group.may_be_billed_on()).then_some(Condition::Ended)
            }
        }
    }
}
