//! Which messages need a container group.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::Census;
use crate::container_group::{GroupName, Liveness};
use crate::message::{FileSizeMb, InvalidMessage, MessageId, MessageKey, MessageState, PeekedMessage};

/// Why a message gets no group in this pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It has one that is active.
    Running(GroupName),
    /// It has one that is terminal.
    Finished(GroupName),
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
    subscription: &'a str,
    now: OffsetDateTime,
    seen: HashSet<MessageId>,
}

impl<'a> Sieve<'a> {
    /// A sieve for a subscription of which no message has been seen.
    pub fn new(census: &'a Census, subscription: &'a str, now: OffsetDateTime) -> Self {
        Self { census, subscription, now, seen: HashSet::new() }
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
        match self.census.group_of(self.subscription, &message_id) {
            Some((group, Liveness::Active)) => return Err(Skip::Running(group.clone())),
            Some((group, Liveness::Terminal)) => return Err(Skip::Finished(group.clone())),
            None => {}
        }
        let file_size = message.file_size_mb.clone().map_err(Skip::Invalid)?;
        if !self.seen.insert(message_id.clone()) {
            return Err(Skip::Duplicate);
        }
        Ok(Candidate { key: MessageKey { subscription: self.subscription.to_owned(), message_id }, file_size })
    }
}
