//! Which messages may get a container group now, and why the others may not.

use std::collections::HashSet;

use super::retry::{self, Next};
use crate::container_group::{GroupName, Job};
use crate::message::{MessageAddress, MessageId, MessageState, PeekedMessage, SubscriptionName};
use crate::plan::decision::MessageOutcome;
use crate::plan::facts::{Facts, History};

/// A message that may get a group, if there is a slot.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Candidate {
    pub(in crate::plan) job: Job,
    /// How many attempts have been made, deleted records included. The job's own number counts only those whose groups
    /// are there: it is part of the group's name, on which all processes must agree.
    pub(in crate::plan) attempts_made: u32,
    /// The group of the last one, if it is there.
    pub(in crate::plan) record: Option<GroupName>,
}

/// Judges one subscription's messages, oldest first.
#[derive(Debug)]
pub(in crate::plan) struct Eligibility<'a> {
    facts: &'a Facts<'a>,
    subscription: &'a SubscriptionName,
    seen: HashSet<MessageId>,
}

impl<'a> Eligibility<'a> {
    pub(in crate::plan) fn new(facts: &'a Facts<'a>, subscription: &'a SubscriptionName) -> Self {
        Self { facts, subscription, seen: HashSet::new() }
    }

    /// # Errors
    /// What becomes of a message that may not get a group now.
    pub(in crate::plan) fn judge(&mut self, message: &PeekedMessage) -> Result<Candidate, MessageOutcome> {
        match message.state {
            MessageState::Active => {}
            MessageState::Deferred => return Err(MessageOutcome::Deferred),
            MessageState::Scheduled => return Err(MessageOutcome::Scheduled),
        }
        if message.expires_at.is_some_and(|at| at <= self.facts.now) {
            return Err(MessageOutcome::Expired);
        }
        let message_id = message.message_id.clone().map_err(invalid)?;
        let address = MessageAddress {
            subscription: self.subscription.clone(),
            sequence_number: message.sequence_number,
            message_id: Some(message_id.clone()),
        };
        let history = self.facts.history(&address, &message_id);
        if let History::Running(group) = history {
            return Err(MessageOutcome::Running { group: group.clone() });
        }
        let file_size = message.file_size_mb.clone().map_err(invalid)?;
        if !self.seen.insert(message_id.clone()) {
            return Err(MessageOutcome::Duplicate);
        }
        let Due { attempt, attempts_made, record } = self.due_attempt(&history)?;
        self.check_refusals(&address)?;
        let MessageAddress { subscription, sequence_number, .. } = address;
        let job = Job { subscription, sequence_number, message_id, file_size, attempt };
        Ok(Candidate { job, attempts_made, record })
    }

    fn due_attempt(&self, history: &History<'_>) -> Result<Due, MessageOutcome> {
        const FIRST: Due = Due { attempt: 1, attempts_made: 0, record: None };
        let (last, record) = match *history {
            History::Nothing => return Ok(FIRST),
            History::Leftover(group) | History::Running(group) => {
                return Err(MessageOutcome::Finished { group: group.clone() });
            }
            History::Attempted { last, record } => (last, record),
        };
        let group = record.map(|record| record.name().clone());
        if !self.facts.rules.count_attempts() {
            return group.map_or(Ok(FIRST), |group| Err(MessageOutcome::Finished { group }));
        }
        let attempt = record.map_or(1, |record| record.attempt.saturating_add(1));
        match retry::next(&last, self.facts.rules, self.facts.now) {
            Next::Due => Ok(Due { attempt, attempts_made: last.number, record: group }),
            Next::BackingOff { until } => Err(MessageOutcome::BackingOff { attempt: last.number, until, group }),
            Next::Parked => Err(MessageOutcome::Parked { attempts: last.number, group }),
        }
    }

    /// What Azure refuses again and again must not hold the slots that others need.
    fn check_refusals(&self, message: &MessageAddress) -> Result<(), MessageOutcome> {
        let Some(refusals) = self.facts.memory.refusals.get(message) else { return Ok(()) };
        let backoff = retry::backoff(self.facts.rules.retry_backoff, refusals.count);
        let until = refusals.last.saturating_add(backoff);
        if self.facts.now < until { Err(MessageOutcome::Refused { until }) } else { Ok(()) }
    }
}

/// An attempt that is due.
struct Due {
    attempt: u32,
    attempts_made: u32,
    record: Option<GroupName>,
}

fn invalid(reason: crate::message::InvalidMessage) -> MessageOutcome {
    MessageOutcome::Invalid { reason: reason.to_string() }
}
