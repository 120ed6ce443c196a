//! One queue of messages: a subscription's own, or its dead-letter queue.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::message::{Message, Stamp};

/// Messages in the order of their sequence numbers.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<i64, Entry>,
    /// Sequence numbers of what can be received: active and not locked.
    ready: BTreeSet<i64>,
    /// Sequence numbers by lock token.
    locks: HashMap<Uuid, i64>,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    /// Its place in the topic; the key of the entry is its place in the subscription.
    pub(crate) enqueued_sequence_number: i64,
    pub(crate) enqueued_at: OffsetDateTime,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) delivery_count: u32,
    pub(crate) deferred: bool,
    pub(crate) lock: Option<Lock>,
}

/// A receiver's lock on a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lock {
    pub(crate) token: Uuid,
    pub(crate) until: OffsetDateTime,
}

/// The lock has expired, or the message no longer exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LockLost;

impl Entry {
    pub(crate) fn expires_at(&self) -> Option<OffsetDateTime> {
        self.enqueued_at.checked_add(self.time_to_live?)
    }

    /// The bytes of the message as they leave the queue.
    pub(crate) fn encode(&self, sequence_number: i64, omit_body: bool) -> Vec<u8> {
        let stamp = Stamp {
            sequence_number,
            enqueued_sequence_number: self.enqueued_sequence_number,
            enqueued_at: self.enqueued_at,
            delivery_count: self.delivery_count,
            time_to_live: self.time_to_live,
            state: i32::from(self.deferred),
            locked_until: self.lock.map(|lock| lock.until),
        };
        self.message.encode(&stamp, omit_body)
    }
}

impl Queue {
    pub(crate) fn insert(&mut self, sequence_number: i64, entry: Entry) {
        if !entry.deferred && entry.lock.is_none() {
            self.ready.insert(sequence_number);
        }
        self.entries.insert(sequence_number, entry);
    }

    pub(crate) fn remove(&mut self, sequence_number: i64) -> Option<Entry> {
        let entry = self.entries.remove(&sequence_number)?;
        self.ready.remove(&sequence_number);
        if let Some(lock) = entry.lock {
            self.locks.remove(&lock.token);
        }
        Some(entry)
    }

    pub(crate) fn get(&self, sequence_number: i64) -> Option<&Entry> {
        self.entries.get(&sequence_number)
    }

    /// Every message from a sequence number on, including locked, deferred and expired ones: browsing changes nothing.
    pub(crate) fn peek(&self, from: i64) -> impl Iterator<Item = (i64, &Entry)> {
        self.entries.range(from..).map(|(sequence_number, entry)| (*sequence_number, entry))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The first message that can be received.
    pub(crate) fn first_ready(&self) -> Option<i64> {
        self.ready.first().copied()
    }

    /// Locks a message. Returns its bytes as the receiver gets them, which count only the deliveries before this one.
    pub(crate) fn lock(&mut self, sequence_number: i64, lock: Lock) -> Option<Vec<u8>> {
        let entry = self.entries.get_mut(&sequence_number)?;
        entry.lock = Some(lock);
        let bytes = entry.encode(sequence_number, false);
        entry.delivery_count += 1;
        self.ready.remove(&sequence_number);
        self.locks.insert(lock.token, sequence_number);
        Some(bytes)
    }

    /// The message that a valid lock holds.
    pub(crate) fn locked(&self, token: Uuid, now: OffsetDateTime) -> Result<i64, LockLost> {
        let sequence_number = *self.locks.get(&token).ok_or(LockLost)?;
        match self.get(sequence_number).and_then(|entry| entry.lock) {
            Some(lock) if lock.token == token && lock.until > now => Ok(sequence_number),
            _ => Err(LockLost),
        }
    }

    /// Prolongs a valid lock.
    pub(crate) fn renew(&mut self, token: Uuid, until: OffsetDateTime, now: OffsetDateTime) -> Result<(), LockLost> {
        let sequence_number = self.locked(token, now)?;
        let entry = self.entries.get_mut(&sequence_number).ok_or(LockLost)?;
        entry.lock = Some(Lock { token, until });
        Ok(())
    }

    /// Unlocks a message; it can be received again unless it is deferred.
    pub(crate) fn unlock(&mut self, sequence_number: i64, defer: bool) {
        let Some(entry) = self.entries.get_mut(&sequence_number) else { return };
        if let Some(lock) = entry.lock.take() {
            self.locks.remove(&lock.token);
        }
        entry.deferred |= defer;
        if !entry.deferred {
            self.ready.insert(sequence_number);
        }
    }

    /// Sequence numbers of the messages whose locks have expired.
    pub(crate) fn expired_locks(&self, now: OffsetDateTime) -> Vec<i64> {
        let expired = |sequence_number: &i64| {
            self.get(*sequence_number).and_then(|entry| entry.lock).is_some_and(|lock| lock.until <= now)
        };
        let mut expired: Vec<i64> = self.locks.values().copied().filter(expired).collect();
        expired.sort_unstable();
        expired
    }

    /// When the next lock expires.
    pub(crate) fn next_lock_expiry(&self) -> Option<OffsetDateTime> {
        self.locks.values().filter_map(|number| self.get(*number)?.lock).map(|lock| lock.until).min()
    }
}
