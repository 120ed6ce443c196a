//! Whether the messages that groups were created for are still there.
//!
//! A message is known to be gone if and only if its subscription is gone, a read went past its sequence number and did not
//! find it, or a peek at its own sequence number did not find it. On a partitioned topic, and where sessions are required,
//! a read proves nothing missing. Every other message that was not seen is unknown, and so is every message in a
//! subscription that is skipped or cannot be served.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::KnownGroup;
use crate::message::{MessageAddress, MessageId, MessageState, PeekedMessage, SubscriptionName};
use crate::plan::snapshot::{ObservedSubscription, Read, Snapshot};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum MessageStatus {
    /// It is there, and a worker can receive it.
    Waiting,
    /// It is there, but no worker can receive it: a receiver deferred it, or it has expired.
    SetAside,
    Gone {
        /// Whether a peek at its own sequence number, or the list of subscriptions, proves it.
        looked_up: bool,
    },
    Unknown,
    /// Nobody knows, because its subscription could not be read.
    Unread,
}

pub(in crate::plan) struct KnownMessages<'a> {
    subscriptions: HashMap<&'a SubscriptionName, Seen<'a>>,
    /// Subscriptions that exist, and are skipped or cannot be served.
    not_peeked: HashSet<&'a SubscriptionName>,
    /// Whether a subscription would have been peeked, but cannot be served.
    some_unserved: bool,
    now: OffsetDateTime,
}

/// What a pass saw of a subscription.
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
            not_peeked: snapshot.skipped_subscriptions.iter().chain(unserved).collect(),
            some_unserved: !snapshot.unserved_subscriptions.is_empty(),
            now,
        }
    }

    /// The status of the message that a group was created for.
    pub(in crate::plan) fn status_of(&self, known: &KnownGroup) -> MessageStatus {
        let id = known.message_id.as_ref();
        let Some(subscription) = &known.subscription else { return self.in_any(id) };
        let Some(seen) = self.subscriptions.get(subscription) else {
            // A subscription that is not listed is gone, with its messages.
            let is_gone = known.has_its_own_tags && !self.not_peeked.contains(subscription);
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
            None => !self.not_peeked.contains(&message.subscription),
        }
    }

    /// Whether a worker can receive a message with this id.
    pub(in crate::plan) fn is_waiting(&self, subscription: &SubscriptionName, id: &MessageId) -> bool {
        let seen = self.subscriptions.get(subscription);
        seen.is_some_and(|seen| seen.with_id(Some(id), self.now) == MessageStatus::Waiting)
    }

    /// For groups of the Python scaler, which do not name their subscription: the message may be in any of them.
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
            // Of several messages with one id, one that waits decides.
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
            // In a partition there is no number to compare with, so a read of as many messages as the service counts must do.
            None if self.observed.read == Read::ToTheEnd => GONE,
            None => MessageStatus::Unknown,
        }
    }
}

fn status(message: &PeekedMessage, now: OffsetDateTime) -> MessageStatus {
    let waits = message.state == MessageState::Active && message.expires_at.is_none_or(|at| at > now);
    if waits { MessageStatus::Waiting } else { MessageStatus::SetAside }
}
