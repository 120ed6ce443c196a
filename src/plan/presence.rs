//! Whether the messages are still there that groups were made for.
//!
//! A message is known to be gone if and only if its subscription is gone, or a read went past its sequence number
//! without it, or a peek at its own sequence number has not found it. Whatever else was not seen is unknown.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::census::Entry;
use super::memory::Place;
use super::{ObservedSubscription, Read, Snapshot};
use crate::message::{MessageState, PeekedMessage};

/// What is known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is there and wants a worker, or has one.
    Waiting,
    /// It is there, and no worker will get it: a receiver has set it aside, or it has expired.
    SetAside,
    /// It is gone.
    Gone {
        /// Whether a peek at its own sequence number says so, or the list of subscriptions.
        looked_up: bool,
    },
    /// Nobody knows.
    Unknown,
    /// Its subscription could not be read: nobody knows.
    Unread,
}

/// What was seen of all messages.
pub(super) struct Whereabouts<'a> {
    subscriptions: HashMap<String, Seen<'a>>,
    skipped: HashSet<String>,
    now: OffsetDateTime,
}

struct Seen<'a> {
    observed: &'a ObservedSubscription,
    by_number: HashMap<i64, &'a PeekedMessage>,
    by_id: HashMap<&'a str, &'a PeekedMessage>,
}

impl<'a> Whereabouts<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, now: OffsetDateTime) -> Self {
        Self {
            subscriptions: snapshot
                .subscriptions
                .iter()
                .map(|of| (of.name.to_lowercase(), Seen::of(of, now)))
                .collect(),
            skipped: snapshot.skipped_subscriptions.iter().map(|name| name.to_lowercase()).collect(),
            now,
        }
    }

    /// What is known of the message that a group was made for.
    pub(super) fn message_of(&self, entry: &Entry) -> Presence {
        let Some(subscription) = &entry.subscription else { return self.in_any(entry.message_id.as_deref()) };
        let Some(seen) = self.subscriptions.get(subscription) else {
            // Where there is no subscription there is nothing to peek at; that it is not listed says as much.
            let gone = Presence::Gone { looked_up: true };
            return if self.skipped.contains(subscription) { Presence::Unknown } else { gone };
        };
        match (entry.sequence_number, entry.message_id.as_deref()) {
            _ if seen.failed() => Presence::Unread,
            (Some(number), id) => seen.numbered(number, id, self.now),
            (None, id) => seen.with_id(id, self.now),
        }
    }

    /// Whether a message is known to be gone.
    pub(super) fn is_gone(&self, (subscription, number): &Place) -> bool {
        match self.subscriptions.get(subscription) {
            Some(seen) => !seen.failed() && matches!(seen.numbered(*number, None, self.now), Presence::Gone { .. }),
            None => !self.skipped.contains(subscription),
        }
    }

    /// Whether a message of this id wants a worker, or has one.
    pub(super) fn is_waiting(&self, subscription: &str, id: &str) -> bool {
        let seen = self.subscriptions.get(subscription);
        seen.is_some_and(|seen| seen.with_id(Some(id), self.now) == Presence::Waiting)
    }

    /// For groups of an earlier scaler, which do not name their subscription: the message may be in any.
    fn in_any(&self, id: Option<&str>) -> Presence {
        let all: Vec<_> = self
            .subscriptions
            .values()
            .map(|seen| if seen.failed() { Presence::Unread } else { seen.with_id(id, self.now) })
            .collect();
        let first = [Presence::Waiting, Presence::SetAside, Presence::Unread, Presence::Unknown];
        first.into_iter().find(|presence| all.contains(presence)).unwrap_or(GONE)
    }
}

const GONE: Presence = Presence::Gone { looked_up: false };

impl<'a> Seen<'a> {
    fn of(observed: &'a ObservedSubscription, now: OffsetDateTime) -> Self {
        let messages = &observed.messages;
        let mut by_id = HashMap::with_capacity(messages.len());
        for message in messages {
            // Of several messages with one id, one that waits tells the most.
            if let Ok(id) = &message.message_id
                && (found(message, now) == Presence::Waiting || !by_id.contains_key(id.as_str()))
            {
                by_id.insert(id.as_str(), message);
            }
        }
        let by_number = messages.iter().map(|message| (message.sequence_number, message)).collect();
        Self { observed, by_number, by_id }
    }

    fn failed(&self) -> bool {
        matches!(self.observed.read, Read::Failed(_))
    }

    fn numbered(&self, number: i64, id: Option<&str>, now: OffsetDateTime) -> Presence {
        match self.by_number.get(&number) {
            Some(message) if id.is_none_or(|id| has_id(message, id)) => found(message, now),
            // Another message, after the subscription was made anew.
            Some(_) => GONE,
            None if self.observed.absent.contains(&number) => Presence::Gone { looked_up: true },
            None if number <= self.observed.covered_to => GONE,
            None => Presence::Unknown,
        }
    }

    fn with_id(&self, id: Option<&str>, now: OffsetDateTime) -> Presence {
        let Some(id) = id else { return GONE };
        match self.by_id.get(id) {
            Some(message) => found(message, now),
            None if self.observed.covered_to == i64::MAX => GONE,
            None => Presence::Unknown,
        }
    }
}

fn has_id(message: &PeekedMessage, id: &str) -> bool {
    message.message_id.as_ref().is_ok_and(|of| of.as_str() == id)
}

fn found(message: &PeekedMessage, now: OffsetDateTime) -> Presence {
    let waits = message.state == MessageState::Active && message.expires_at.is_none_or(|at| at > now);
    if waits { Presence::Waiting } else { Presence::SetAside }
}
