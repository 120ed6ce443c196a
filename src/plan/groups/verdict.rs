//! Whether a group is deleted, regardless of how many other groups there are.

use std::collections::HashMap;

use super::last_success::last_successes;
use crate::container_group::{GroupName, Ownership, StartFailure};
use crate::message::SubscriptionName;
use crate::plan::decision::{DeleteReason, GroupOutcome};
use crate::plan::facts::{Facts, GroupState, KnownGroup, KnownMessages, MessageStatus};
use crate::plan::memory::Condition;
use crate::plan::messages::retry::{self, Next};
use crate::plan::snapshot::Look;

pub(super) enum Verdict {
    Delete(DeleteReason),
    Stay(GroupOutcome),
}

pub(super) struct Judge<'a> {
    facts: &'a Facts<'a>,
    messages: &'a KnownMessages<'a>,
    last_successes: HashMap<&'a SubscriptionName, &'a GroupName>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(facts: &'a Facts<'a>, messages: &'a KnownMessages<'a>) -> Self {
        Self { facts, messages, last_successes: last_successes(facts) }
    }

    pub(super) fn verdict(&self, known: &KnownGroup) -> Verdict {
        match &known.look {
            Look::Done => {}
            Look::NotYet => return Verdict::Stay(GroupOutcome::Active),
            Look::Failed(error) => return Verdict::Stay(GroupOutcome::Unread { reason: error.to_string() }),
        }
        if known.ownership == Ownership::Untagged {
            return Verdict::Stay(GroupOutcome::Untagged);
        }
        let message = self.messages.status_of(known);
        let runs = matches!(known.state, GroupState::Active { running: true, .. });
        let is_orphan = runs && self.is_orphan(known, message);
        if matches!(known.state, GroupState::Active { .. }) && !is_orphan {
            return Verdict::Stay(match known.group.start_failure() {
                Some(StartFailure { reason, since }) => {
                    GroupOutcome::StartFailing { attempt: known.number(), reason, since }
                }
                None => GroupOutcome::Active,
            });
        }
        if known.group.is_kept() {
            return Verdict::Stay(GroupOutcome::Kept);
        }
        if message == MessageStatus::Unread {
            return Verdict::Stay(GroupOutcome::SubscriptionUnread);
        }
        match known.state {
            GroupState::Active { .. } => Verdict::Delete(DeleteReason::Orphaned),
            GroupState::Stuck { .. } => Verdict::Delete(DeleteReason::Stuck),
            GroupState::Overran { .. } => Verdict::Delete(DeleteReason::Overran),
            GroupState::Ended { .. } => self.verdict_on_ended(known, message),
        }
    }

    fn verdict_on_ended(&self, known: &KnownGroup, message: MessageStatus) -> Verdict {
        if !self.facts.rules.count_attempts() {
            return Verdict::Delete(DeleteReason::Finished);
        }
        if self.facts.groups.has_lasting_successor(known) {
            return Verdict::Delete(DeleteReason::Superseded);
        }
        match message {
            MessageStatus::Gone { .. } | MessageStatus::SetAside if self.is_last_success(known) => {
                Verdict::Stay(GroupOutcome::LastSuccess)
            }
            MessageStatus::Gone { .. } | MessageStatus::SetAside => Verdict::Delete(DeleteReason::Finished),
            MessageStatus::Unknown => Verdict::Stay(GroupOutcome::MessageUnknown),
            MessageStatus::Unread => Verdict::Stay(GroupOutcome::SubscriptionUnread),
            MessageStatus::Waiting => Verdict::Stay(GroupOutcome::Record {
                attempt: known.number(),
                until: self.next_attempt(known),
                end: known.end(),
            }),
        }
    }

    /// When the next attempt is due, unless it is due already or there is none.
    fn next_attempt(&self, record: &KnownGroup) -> Option<time::OffsetDateTime> {
        let last = self.facts.last_attempt(Some(record), record.message().as_ref())?;
        match retry::next(&last, self.facts.rules, self.facts.now) {
            Next::BackingOff { until } => Some(until),
            Next::Due | Next::Parked => None,
        }
    }

    /// Whether a running group is to be deleted: a peek at its message's own sequence number has just found nothing, and its
    /// message has been gone for long enough.
    fn is_orphan(&self, known: &KnownGroup, message: MessageStatus) -> bool {
        let now = self.facts.now;
        let orphaned_for = Condition::Orphaned.tagged(&known.group, now).map(|since| now - since);
        self.facts.ages_count
            && message == MessageStatus::Gone { looked_up: true }
            && self
                .facts
                .rules
                .orphan_grace
                .zip(orphaned_for)
                .is_some_and(|(grace, orphaned_for)| orphaned_for >= grace)
    }

    /// Whether it is the last success of a subscription with failures, and not in the way of another message with its id.
    fn is_last_success(&self, known: &KnownGroup) -> bool {
        let (Some(subscription), Some(id)) = (&known.subscription, &known.message_id) else { return false };
        self.last_successes.get(subscription) == Some(&known.name()) && !self.messages.is_waiting(subscription, id)
    }
}
