//! Whether the messages are still there that groups were created for.
//!
//! A message is known to be gone if and only if its subscription is gone, or a read went past its sequence number
//! without it, or a peek at its own sequence number has not found it. On a partitioned topic, and where sessions are
//! required, no read goes past anything. Whatever else was not seen is unknown, and so is all that is in a subscription
//! that is skipped or cannot be served.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::KnownGroup;
use crate::message::{MessageAddress, MessageId, MessageState, PeekedMessage, SubscriptionName};
use crate::plan::snapshot::{ObservedSubscription, Read, Snapshot};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum MessageStatus {
    /// It is there and wants a worker, or has one.
    Waiting,
    /// It is there, and no worker will get it: a receiver has deferred it, or it has expired.
    SetAside,
    Gone {
        /// Whether a peek at its own sequence number says so, or the list of subscriptions.
        looked_up: bool,
    },
    Unknown,
    /// Unknown, because its subscription could not be read.
    Unread,
}

pub(in crate::plan) struct KnownMessages<'a> {
    subscriptions: HashMap<&'a SubscriptionName, Seen<'a>>,
    /// Subscriptions that are there, and are skipped or cannot be served.
    not_looked_at: HashSet<&'a SubscriptionName>,
    /// Whether there is a subscription that would be looked at if it could be.
    some_unserved: bool,
    now: OffsetDateTime,
}

/// What was seen of a subscription.
struct Seen<'a> {
    observed: &'a ObservedSubscription,
    by_number: HashMap<i64, &'a PeekedMessage>,
    by_id: HashMap<&'a MessageId, &'a PeekedMessage>,
}

const GONE: MessageStatus = MessageStatus::Gone { looked_up: false };

impl<'a> KnownMessages<'a> {
    pub(in crate::plan) fn of(snapshot: &'a Snapshot, now: OffsetDateTime) -> Self {
        let subscriptions = snapshot.subscriptions.iter();
        let unserved = snapshot.unserved_subscriptions.iter().map(|unserved| &unserved.name);
        Self {
            subscriptions: subscriptions.map(|observed| (&observed.name, Seen::of(observed, now))).collect(),
            not_looked_at: snapshot.skipped_subscriptions.iter().chain(unserved).collect(),
            some_unserved: !snapshot.unserved_subscriptions.is_empty(),
            now,
        }
    }

    /// Of the message that a group was created for.
    pub(in crate::plan) fn status_of(&self, known: &KnownGroup) -> MessageStatus {
        let id = known.message_id.as_ref();
        let Some(subscription) = &known.subscription else { return self.in_any(id) };
        let Some(seen) = self.subscriptions.get(subscription) else {
            // Where there is no subscription there is nothing to peek at; that it is not listed says as much.
            let is_gone = known.has_its_own_tags && !self.not_looked_at.contains(subscription);
            return if is_gone { MessageStatus::Gone { looked_up: true } } else { MessageStatus::Unknown };
        };
        match known.sequence_number {
            _ if seen.failed() => MessageStatus::Unread,
            Some(number) => seen.numbered(number, id, self.now),
            None => seen.with_id(id, self.now),
        }
    }

    pub(in crate::plan) fn is_gone(&self, message: &MessageAddress) -> bool {
        match self.subscriptions.get(&message.subscription) {
            Some(seen) => {
                let status = seen.numbered(message.sequence_number, message.message_id.as_ref(), self.now);
                !seen.failed() && matches!(status, MessageStatus::Gone { .. })
            }
            None => !self.not_looked_at.contains(&message.subscription),
        }
    }

    /// Whether a message of this id wants a worker, or has one.
    pub(in crate::plan) fn is_waiting(&self, subscription: &SubscriptionName, id: &MessageId) -> bool {
        let seen = self.subscriptions.get(subscription);
        seen.is_some_and(|seen| seen.with_id(Some(id), self.now) == MessageStatus::Waiting)
    }

    /// For groups of the Python scaler, which do not name their subscription: the message may be in any.
    fn in_any(&self, id: Option<&MessageId>) -> MessageStatus {
        let seen = self.subscriptions.values();
        let statuses = seen.map(|seen| if seen.failed() { MessageStatus::Unread } else { seen.with_id(id, self.now) });
        let all: Vec<_> = statuses.chain(self.some_unserved.then_some(MessageStatus::Unknown)).collect();
        let strongest_first =
            [MessageStatus::Waiting, MessageStatus::SetAside, MessageStatus::Unread, MessageStatus::Unknown];
        strongest_first.into_iter().find(|status| all.contains(status)).unwrap_or(GONE)
    }
}

impl<'a> Seen<'a> {
    fn of(observed: &'a ObservedSubscription, now: OffsetDateTime) -> Self {
        let messages = &observed.messages;
        let mut by_id = HashMap::with_capacity(messages.len());
        for message in messages {
            // Of several messages with one id, one that waits says the most.
            if let Ok(id) = &message.message_id
                && (status(message, now) == MessageStatus::Waiting || !by_id.contains_key(id))
            {
                by_id.insert(id, message);
            }
        }
        let by_number = messages.iter().map(|message| (message.sequence_number, message)).collect();
        Self { observed, by_number, by_id }
    }

    fn failed(&self) -> bool {
        matches!(self.observed.read, Read::Failed(_))
    }

    fn numbered(&self, number: i64, id: Option<&MessageId>, now: OffsetDateTime) -> MessageStatus {
        match self.by_number.get(&number) {
            Some(message) if id.is_none_or(|id| message.message_id.as_ref() == Ok(id)) => status(message, now),
            // Another message: the topic or the subscription was created again.
            Some(_) => GONE,
            None if self.observed.absent.contains(&number) => MessageStatus::Gone { looked_up: true },
            None if number <= self.observed.covered_to => GONE,
            None => MessageStatus::Unknown,
        }
    }

    fn with_id(&self, id: Option<&MessageId>, now: OffsetDateTime) -> MessageStatus {
        let Some(id) = id else { return GONE };
        match self.by_id.get(id) {
            Some(message) => status(message, now),
            // Where it is in a partition there is no number to look at: a count that agrees has to do.
            None if self.observed.read == Read::ToTheEnd => GONE,
            None => MessageStatus::Unknown,
        }
    }
}

fn status(message: &PeekedMessage, now: OffsetDateTime) -> MessageStatus {
    let waits = message.state == MessageState::Active && message.expires_at.is_none_or(|at| at > now);
    if waits { MessageStatus::Waiting } else { MessageStatus::SetAside }
}
