//! Which messages need a container group.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::attempts::{self, Next};
use super::census::History;
use super::memory::place;
use super::{Census, Rules};
use crate::container_group::GroupName;
use crate::message::{FileSizeMb, InvalidMessage, MessageId, MessageKey, MessageState, PeekedMessage};

/// Why a message gets no group in this pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It has one that is active.
    Running(GroupName),
    /// A terminal one is in its way, which goes in this pass or a later one.
    Finished(GroupName),
    /// The last attempt at it has not settled it, and the next one is not due yet.
    BackingOff {
        /// How many attempts there have been.
        attempt: u32,
        /// When the next one is due.
        until: OffsetDateTime,
        /// The attempt's group, if it is still there.
        group: Option<GroupName>,
    },
    /// No attempt at it has settled it, and there will be no other.
    Parked {
        /// How many there were.
        attempts: u32,
        /// The last one's group, if it is still there.
        group: Option<GroupName>,
    },
    /// Too much has failed in its subscription lately.
    HeldByBreaker {
        /// When one group will be let through, unless one is on its way already.
        until: Option<OffsetDateTime>,
    },
    /// Azure has refused to create a group for it.
    Refused {
        /// When it is asked for again.
        until: OffsetDateTime,
    },
    /// A group whose own message is gone is expected to serve it.
    WaitingForSpare {
        /// That group.
        group: GroupName,
        /// When the message is due for a group of its own.
        until: OffsetDateTime,
    },
    /// Another message of its id comes before it.
    Duplicate,
    /// A receiver has set it aside.
    Deferred,
    /// It is not due yet.
    Scheduled,
    /// Its time to live is over.
    Expired,
    /// It cannot be given one.
    Invalid(InvalidMessage),
    /// The cap is full.
    WaitingForSlot,
}

/// A message that needs a group.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The message.
    pub key: MessageKey,
    /// The size of its file.
    pub file_size: FileSizeMb,
    /// Since when this attempt is due.
    pub due_since: OffsetDateTime,
    /// Which attempt at it this is, from 1, as far as the groups tell.
    pub attempt: u32,
    /// How many there have been, as far as anybody knows.
    pub failures: u32,
    /// The record of the last one, if it is there.
    pub after: Option<GroupName>,
}

/// What becomes of a message.
#[derive(Clone, Debug)]
pub enum Sifted {
    /// It needs a group.
    New(Candidate),
    /// It needs none, or must not have one.
    Skip(Skip),
}

/// Goes through one subscription's messages, oldest first.
#[derive(Debug)]
pub struct Sieve<'a> {
    census: &'a Census,
    rules: &'a Rules,
    subscription: &'a str,
    now: OffsetDateTime,
    seen: HashSet<MessageId>,
}

impl<'a> Sieve<'a> {
    /// A sieve for a subscription of which no message has been seen.
    pub fn new(census: &'a Census, rules: &'a Rules, subscription: &'a str, now: OffsetDateTime) -> Self {
        Self { census, rules, subscription, now, seen: HashSet::new() }
    }

    /// Looks at the next message.
    pub fn sift(&mut self, message: &PeekedMessage) -> Sifted {
        match self.check(message) {
            Ok(candidate) => Sifted::New(candidate),
            Err(skip) => Sifted::Skip(skip),
        }
    }

    fn check(&mut self, message: &PeekedMessage) -> Result<Candidate, Skip> {
        match message.state {
            MessageState::Active => {}
            MessageState::Deferred => return Err(Skip::Deferred),
            MessageState::Scheduled => return Err(Skip::Scheduled),
        }
        if message.expires_at.is_some_and(|at| at <= self.now) {
            return Err(Skip::Expired);
        }
        let message_id = message.message_id.clone().map_err(Skip::Invalid)?;
        let history = self.census.history(self.subscription, &message_id, message.sequence_number);
        if let History::Running(group) = history {
            return Err(Skip::Running(group.clone()));
        }
        let file_size = message.file_size_mb.clone().map_err(Skip::Invalid)?;
        if !self.seen.insert(message_id.clone()) {
            return Err(Skip::Duplicate);
        }
        let Due { since, attempt, failures, after } = self.due_attempt(&history, message.enqueued_at)?;
        self.check_refusals(message.sequence_number)?;
        let key = MessageKey { subscription: self.subscription.to_owned(), message_id };
        Ok(Candidate { key, file_size, due_since: since, attempt, failures, after })
    }

    /// What Azure refuses again and again must not hold the slots that others need.
    fn check_refusals(&self, sequence_number: i64) -> Result<(), Skip> {
        if self.census.memory.refusals.is_empty() {
            return Ok(());
        }
        let place = place(self.subscription, sequence_number);
        match self.census.memory.refused_until(&place, self.rules.retry_backoff) {
            Some(until) if self.now < until => Err(Skip::Refused { until }),
            _ => Ok(()),
        }
    }

    /// The attempt that is due at a message that came then.
    fn due_attempt(&self, history: &History<'_>, came_at: Option<OffsetDateTime>) -> Result<Due, Skip> {
        // A moment that is still to come is nobody's.
        let since = came_at.filter(|at| *at <= self.now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let first = Due { since, attempt: 1, failures: 0, after: None };
        let (last, record) = match *history {
            History::Attempted { last, record } => (last, record),
            History::Leftover(group) | History::Running(group) => return Err(Skip::Finished(group.clone())),
            History::None => return Ok(first),
        };
        let group = record.map(|record| record.name.clone());
        let attempt = record.map_or(1, |record| record.attempt.saturating_add(1));
        if self.rules.retry_backoff.is_zero() {
            return group.map_or(Ok(first), |group| Err(Skip::Finished(group)));
        }
        match attempts::next(&last, self.rules, self.now) {
            Next::Due { since } => Ok(Due { since, attempt, failures: last.number, after: group }),
            Next::BackingOff { until } => Err(Skip::BackingOff { attempt: last.number, until, group }),
            Next::Parked => Err(Skip::Parked { attempts: last.number, group }),
        }
    }
}

/// An attempt that is due.
struct Due {
    /// Since when; the first, since its message came, or for ever if nobody knows when that was.
    since: OffsetDateTime,
    /// Which it is, by the name of its group.
    attempt: u32,
    /// How many there have been.
    failures: u32,
    /// The record of the last one.
    after: Option<GroupName>,
}
