//! Which messages may get a container group now, and why the others may not.

use std::collections::HashSet;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::failed_creates;
use super::retry::{self, Next};
use crate::container_group::{ContainerGroup, Job, Ownership, StartFailure};
use crate::message::{InvalidMessage, MessageAddress, MessageId, MessageState, PeekedMessage, SubscriptionName};
use crate::plan::decision::MessageOutcome;
use crate::plan::facts::{Facts, History, KnownGroup};
use crate::plan::memory::FailureKind;
use crate::plan::policy::MAX_ATTEMPT;
use crate::plan::snapshot::Look;

/// The wait after the first failed create, doubled after each further one. Meanwhile other messages are served.
const CREATE_BACKOFF: Duration = Duration::MINUTE;

/// A message that may get a group, if there is a slot.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Candidate {
    pub(in crate::plan) job: Job,
    /// How many attempts have been made, including those whose records were deleted. The number in `job` counts only those
    /// whose groups exist: it is part of the group's name, on which all processes must agree.
    pub(in crate::plan) attempts_made: u32,
    /// Whether an operator restarts its count, so that it does not wait for the breaker.
    pub(in crate::plan) is_retried: bool,
    /// Whether its last attempt ran out of memory, and the next one gets more.
    pub(in crate::plan) grows: bool,
    /// How many creates for it failed.
    pub(in crate::plan) create_failures: u32,
    /// The group of the last attempt, if it exists.
    pub(in crate::plan) record: Option<Arc<ContainerGroup>>,
}

/// Judges one subscription's messages, the oldest first.
#[derive(Debug)]
pub(in crate::plan) struct Eligibility<'a> {
    facts: &'a Facts<'a>,
    subscription: &'a SubscriptionName,
    /// Whether each pass tries one message although its create is backing off, to see whether the reason for which all creates
    /// of the subscription fail is over.
    may_probe: bool,
    seen: HashSet<MessageId>,
}

impl<'a> Eligibility<'a> {
    pub(in crate::plan) fn new(facts: &'a Facts<'a>, subscription: &'a SubscriptionName) -> Self {
        let may_probe = failed_creates::common_reason(facts, subscription).is_some();
        Self { facts, subscription, may_probe, seen: HashSet::new() }
    }

    /// Makes room for this many more messages.
    pub(in crate::plan) fn reserve(&mut self, messages: usize) {
        self.seen.reserve(messages);
    }

    /// # Errors
    /// The outcome of a message that may not get a group now.
    pub(in crate::plan) fn judge(&mut self, message: &PeekedMessage) -> Result<Candidate, MessageOutcome> {
        match message.state {
            MessageState::Active => {}
            MessageState::Deferred => return Err(MessageOutcome::Deferred),
            MessageState::Scheduled => return Err(MessageOutcome::Scheduled),
        }
        if message.expires_at.is_some_and(|at| at <= self.facts.now) {
            return Err(MessageOutcome::Expired);
        }
        let message_id = message.message_id.clone().map_err(|reason| invalid(&reason))?;
        let address = MessageAddress {
            subscription: self.subscription.clone(),
            sequence_number: message.sequence_number,
            message_id: Some(message_id.clone()),
        };
        let history = self.facts.history(&address, &message_id);
        if let History::Running(group) = history {
            return Err(running(group));
        }
        let file_size = message.file_size_mb.clone().map_err(|reason| invalid(&reason))?;
        if !self.seen.insert(message_id.clone()) {
            return Err(MessageOutcome::Duplicate);
        }
        let Due { attempts_made, record, is_retried } = self.due_attempt(&history, &address)?;
        let ran_out_of = record.and_then(|record| record.group.most_ran_out_of());
        let grows = record.and_then(|record| record.group.ran_out_of()).is_some_and(|last| {
            let recipe = self.facts.recipe.of(self.subscription);
            recipe.size(file_size, ran_out_of).memory > last
        });
        // The number in the name goes on when the count restarts, so that no two groups of a message share a name.
        let attempts_before = record.map(KnownGroup::attempts_before_next).unwrap_or_default();
        let attempt = record.map_or(1, |record| record.attempt.saturating_add(1) - attempts_before);
        let record = record.map(|record| record.group.clone());
        let create_failures = self.check_create_failures(&address)?;
        let MessageAddress { subscription, sequence_number, .. } = address;
        let job = Job { subscription, sequence_number, message_id, file_size, attempt, attempts_before, ran_out_of };
        Ok(Candidate { job, attempts_made, is_retried, grows, create_failures, record })
    }

    fn due_attempt<'h>(&self, history: &History<'h>, message: &MessageAddress) -> Result<Due<'h>, MessageOutcome> {
        const FIRST: Due<'_> = Due { attempts_made: 0, record: None, is_retried: false };
        let (last, record) = match *history {
            History::Nothing => return Ok(FIRST),
            History::Leftover(group) => return Err(MessageOutcome::Finished { group: group.clone() }),
            History::Running(group) => return Err(running(group)),
            History::Retried(record) => (None, Some(record)),
            History::Attempted { last, record } => (Some(last), record),
        };
        let end = || self.facts.last_end(record, message);
        let group = record.map(|record| record.name().clone());
        let parked = |attempts| Err(MessageOutcome::Parked { attempts, group: group.clone(), end: end() });
        if !self.facts.rules.count_attempts() {
            return match record {
                None => Ok(FIRST),
                // It is never deleted, so the next group needs another name.
                Some(record) if record.ownership == Ownership::Untagged => {
                    let attempts = last.map_or(0, |last| last.number);
                    if attempts >= self.facts.rules.max_attempts || !can_be_followed(record) {
                        return parked(attempts);
                    }
                    Ok(Due { attempts_made: attempts, record: Some(record), is_retried: last.is_none() })
                }
                Some(record) => Err(MessageOutcome::Finished { group: record.name().clone() }),
            };
        }
        let Some(last) = last else {
            let is_possible = record.is_some_and(can_be_followed);
            return if is_possible { Ok(Due { attempts_made: 0, record, is_retried: true }) } else { parked(0) };
        };
        match retry::next(&last, self.facts.rules, self.facts.now) {
            Next::Due if let Some(until) = self.may_be_followed_until(message, record) => {
                Err(MessageOutcome::BackingOff { attempt: last.number, until, group, end: end() })
            }
            Next::Due if record.is_none_or(can_be_followed) => {
                Ok(Due { attempts_made: last.number, record, is_retried: false })
            }
            Next::BackingOff { until } => {
                Err(MessageOutcome::BackingOff { attempt: last.number, until, group, end: end() })
            }
            Next::Due | Next::Parked => parked(last.number),
        }
    }

    /// Until when another process may create the group that follows a record which is gone. As long as the record is there, the
    /// next group's name follows it in every process.
    fn may_be_followed_until(&self, message: &MessageAddress, record: Option<&KnownGroup>) -> Option<OffsetDateTime> {
        let gone = self.facts.memory.deleted_records.get(message)?;
        let until = gone.may_be_followed_until(self.facts.rules);
        let is_gone = record.is_none_or(|record| *record.name() != gone.group.0);
        (is_gone && self.facts.now < until).then_some(until)
    }

    /// A create that fails again and again must not take the slots that other messages need.
    fn check_create_failures(&self, message: &MessageAddress) -> Result<u32, MessageOutcome> {
        let Some(failure) = self.facts.memory.create_failures.get(message) else { return Ok(0) };
        let until = failure.last.saturating_add(retry::backoff(CREATE_BACKOFF, failure.count));
        let may_probe = self.may_probe && failure.cause.kind != FailureKind::AboutMessage;
        if self.facts.now < until && !failure.forgiven && !may_probe {
            let reason = failure.cause.reason.clone();
            return Err(MessageOutcome::CreateBackingOff { until, failures: failure.count, reason });
        }
        Ok(failure.count)
    }
}

/// An attempt that is due.
struct Due<'a> {
    attempts_made: u32,
    record: Option<&'a KnownGroup>,
    /// Whether an operator restarts the count.
    is_retried: bool,
}

/// Whether a group's name has room for the number of the next attempt.
fn can_be_followed(record: &KnownGroup) -> bool {
    record.attempt < MAX_ATTEMPT
}

fn running(known: &KnownGroup) -> MessageOutcome {
    let failing = known.group.start_failure().filter(|_| !matches!(known.look, Look::Failed(_)));
    let (reason, since) = failing.map_or((None, None), |StartFailure { reason, since }| (Some(reason), since));
    MessageOutcome::Running { group: known.name().clone(), reason, since }
}

fn invalid(reason: &InvalidMessage) -> MessageOutcome {
    MessageOutcome::Invalid { reason: reason.to_string() }
}
