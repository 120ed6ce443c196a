//! A subscription: which messages it accepts, and what happens to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::config::SubscriptionConfig;
use super::message::Message;
use super::partitioning::{self, Partitioning};
use super::queue::{Entry, Lock, LockLost, Queue};
use super::stored_message::StoredMessage;
use crate::service_bus::sections::to_millisecond;

/// Which of a subscription's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SubQueue {
    Messages,
    DeadLetters,
}

/// How a receiver settles a message that it has locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Complete,
    Abandon,
    Defer,
    DeadLetter { reason: Option<String>, description: Option<String> },
}

/// A message that a receiver got.
pub(crate) struct Delivery {
    pub(crate) lock_token: Uuid,
    pub(crate) bytes: Vec<u8>,
}

/// A subscription and its messages.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) config: SubscriptionConfig,
    pub(crate) created_at: OffsetDateTime,
    messages: Queue,
    dead_letters: Queue,
    last_sequence_number: i64,
    /// Those of partitions, without the partition's id.
    last_of_partition: BTreeMap<u16, i64>,
    /// How often it was peeked, if that decides what a peek shows.
    turn: usize,
}

impl Subscription {
    pub(crate) fn new(config: SubscriptionConfig, now: OffsetDateTime) -> Self {
        let [messages, dead_letters] = <[Queue; 2]>::default();
        Self {
            config,
            created_at: now,
            messages,
            dead_letters,
            last_sequence_number: 0,
            last_of_partition: BTreeMap::new(),
            turn: 0,
        }
    }

    pub(crate) fn queue(&self, queue: SubQueue) -> &Queue {
        match queue {
            SubQueue::Messages => &self.messages,
            SubQueue::DeadLetters => &self.dead_letters,
        }
    }

    /// Adds a message with its topic's time to live.
    pub(crate) fn enqueue(
        &mut self,
        message: Arc<Message>,
        enqueued_sequence_number: i64,
        partition: Option<u16>,
        time_to_live: Option<Duration>,
        now: OffsetDateTime,
    ) {
        let sequence_number = self.next_sequence_number(partition);
        let time_to_live = [time_to_live, self.config.default_time_to_live].into_iter().flatten().min();
        let entry = Entry {
            message,
            enqueued_sequence_number,
            enqueued_at: to_millisecond(now),
            time_to_live,
            delivery_count: 0,
            deferred: false,
            lock: None,
        };
        self.messages.insert(sequence_number, entry);
    }

    fn next_sequence_number(&mut self, partition: Option<u16>) -> i64 {
        let Some(id) = partition else {
            self.last_sequence_number += 1;
            return self.last_sequence_number;
        };
        let last = self.last_of_partition.entry(id).or_default();
        *last += 1;
        partitioning::sequence_number(id, *last)
    }

    /// Gives the first message that can be received to a receiver, locked.
    pub(crate) fn receive(&mut self, queue: SubQueue, now: OffsetDateTime) -> Option<Delivery> {
        let sequence_number = self.first_ready(queue, now)?;
        self.lock(queue, sequence_number, now)
    }

    /// Gives the first message that can be received to a receiver, and removes it.
    pub(crate) fn receive_and_delete(&mut self, queue: SubQueue, now: OffsetDateTime) -> Option<Vec<u8>> {
        let sequence_number = self.first_ready(queue, now)?;
        let entry = self.queue_mut(queue).remove(sequence_number)?;
        Some(entry.encode(sequence_number, false))
    }

    /// Gives a deferred message to a receiver, locked. Nothing unless it is there, deferred and not locked.
    pub(crate) fn receive_deferred(
        &mut self,
        queue: SubQueue,
        sequence_number: i64,
        now: OffsetDateTime,
    ) -> Option<Delivery> {
        self.release_expired_locks(queue, now);
        let entry = self.queue(queue).get(sequence_number)?;
        if !entry.deferred || entry.lock.is_some() {
            return None;
        }
        self.lock(queue, sequence_number, now)
    }

    /// Settles a message as its receiver wants, if the lock is still valid.
    pub(crate) fn settle(
        &mut self,
        queue: SubQueue,
        lock_token: Uuid,
        outcome: &Outcome,
        now: OffsetDateTime,
    ) -> Result<(), LockLost> {
        let sequence_number = self.queue(queue).locked(lock_token, now)?;
        match outcome {
            Outcome::Complete => drop(self.queue_mut(queue).remove(sequence_number)),
            Outcome::Abandon => self.give_back(queue, sequence_number),
            Outcome::Defer => self.queue_mut(queue).unlock(sequence_number, true),
            Outcome::DeadLetter { reason, description } => {
                self.dead_letter(queue, sequence_number, reason.as_deref(), description.as_deref());
            }
        }
        Ok(())
    }

    /// Renews a lock, and returns until when.
    pub(crate) fn renew(
        &mut self,
        queue: SubQueue,
        lock_token: Uuid,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, LockLost> {
        let until = to_millisecond(now + self.config.lock_duration);
        self.queue_mut(queue).renew(lock_token, until, now)?;
        Ok(until)
    }

    /// Every message from a sequence number on, locked, deferred and expired ones too.
    pub(crate) fn peek(
        &mut self,
        queue: SubQueue,
        from: i64,
        now: OffsetDateTime,
    ) -> impl Iterator<Item = (i64, &Entry)> {
        self.release_expired_locks(queue, now);
        self.queue(queue).peek(from)
    }

    /// What a peek of a partitioned topic's subscription shows, in the order in which it does.
    pub(crate) fn peek_partitions(
        &mut self,
        queue: SubQueue,
        from: i64,
        partitioning: &Partitioning,
        now: OffsetDateTime,
    ) -> impl Iterator<Item = (i64, &Entry)> {
        self.turn += 1;
        let numbers: Vec<i64> = self.peek(queue, from, now).map(|(number, _)| number).collect();
        let page = partitioning.page(&numbers, from, self.turn);
        let queue = self.queue(queue);
        page.into_iter().filter_map(|number| Some((number, queue.get(number)?)))
    }

    /// Every message of a queue, for tests.
    pub(crate) fn inspect(&mut self, queue: SubQueue, now: OffsetDateTime) -> Vec<StoredMessage> {
        self.peek(queue, i64::MIN, now).map(|(number, entry)| StoredMessage::new(number, entry)).collect()
    }

    /// When a message may become available again by itself.
    pub(crate) fn next_lock_expiry(&self, queue: SubQueue) -> Option<OffsetDateTime> {
        self.queue(queue).next_lock_expiry()
    }

    /// Removes a message, whatever its state.
    pub(crate) fn remove(&mut self, sequence_number: i64) -> bool {
        self.messages.remove(sequence_number).is_some()
    }

    fn queue_mut(&mut self, queue: SubQueue) -> &mut Queue {
        match queue {
            SubQueue::Messages => &mut self.messages,
            SubQueue::DeadLetters => &mut self.dead_letters,
        }
    }

    fn lock(&mut self, queue: SubQueue, sequence_number: i64, now: OffsetDateTime) -> Option<Delivery> {
        let lock = Lock { token: Uuid::new_v4(), until: to_millisecond(now + self.config.lock_duration) };
        let bytes = self.queue_mut(queue).lock(sequence_number, lock)?;
        Some(Delivery { lock_token: lock.token, bytes })
    }

    /// The first message that can be received. Expired ones before it are removed: as on the service, an expired message may
    /// stay until somebody receives.
    fn first_ready(&mut self, queue: SubQueue, now: OffsetDateTime) -> Option<i64> {
        self.release_expired_locks(queue, now);
        loop {
            let sequence_number = self.queue(queue).first_ready()?;
            let expires_at = self.queue(queue).get(sequence_number)?.expires_at();
            // Messages in a dead-letter queue do not expire.
            if queue == SubQueue::DeadLetters || expires_at.is_none_or(|at| at > now) {
                return Some(sequence_number);
            }
            if self.config.dead_letter_on_expiration {
                let description = "The message expired and was dead lettered.";
                self.dead_letter(queue, sequence_number, Some("TTLExpiredException"), Some(description));
            } else {
                self.queue_mut(queue).remove(sequence_number);
            }
        }
    }

    fn release_expired_locks(&mut self, queue: SubQueue, now: OffsetDateTime) {
        for sequence_number in self.queue(queue).expired_locks(now) {
            self.give_back(queue, sequence_number);
        }
    }

    /// Makes a message available again, unless it was delivered too often.
    fn give_back(&mut self, queue: SubQueue, sequence_number: i64) {
        let max = self.config.max_delivery_count;
        let deliveries = self.queue(queue).get(sequence_number).map_or(0, |entry| entry.delivery_count);
        if queue == SubQueue::Messages && deliveries >= max {
            let description = format!("Message could not be consumed after {max} delivery attempts.");
            self.dead_letter(queue, sequence_number, Some("MaxDeliveryCountExceeded"), Some(&description));
        } else {
            self.queue_mut(queue).unlock(sequence_number, false);
        }
    }

    /// Moves a message to the dead-letter queue. One that is already there stays.
    fn dead_letter(&mut self, queue: SubQueue, sequence_number: i64, reason: Option<&str>, description: Option<&str>) {
        let Some(mut entry) = self.queue_mut(queue).remove(sequence_number) else { return };
        entry.message = entry.message.dead_lettered(reason, description);
        entry.lock = None;
        entry.deferred = false;
        self.dead_letters.insert(sequence_number, entry);
    }
}
