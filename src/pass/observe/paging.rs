//! Where to peek next in a subscription, given the sequence numbers seen so far.
//!
//! * Numbers ascend: the next page begins after the last number, and an empty page is the end.
//! * On a partitioned topic, which a number of 2^48 or more shows, they ascend only within a partition, and a page may have any
//!   messages, because whichever broker is first answers. Each partition is paged from its own last number. When none has
//!   more, that is the end if there are as many messages as the service counts. If there are fewer, the service is asked again,
//!   from the start and from the ends of partitions, until it shows nothing new for a while.
//! * The same holds where sessions are required: a peek without a session need not show all messages.

use std::collections::{BTreeMap, HashSet};

use crate::message::partition_of;

/// Sequence numbers start at 1.
pub(super) const FIRST_SEQUENCE_NUMBER: i64 = 1;

/// After this many peeks in a row without a new message, the rest is left to the next pass. A topic of the Standard tier has 16
/// partitions, and at some 50 ms each these peeks take less than a second.
const MAX_FRUITLESS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Paging {
    seen: HashSet<i64>,
    partitions: BTreeMap<i64, Partition>,
    /// Whether a page may have any messages.
    scattered: bool,
    /// How many messages there are, by the service's count.
    count: Option<u64>,
    asked: bool,
    /// The number of peeks since the last one that showed something new.
    fruitless: usize,
    again: Again,
}

#[derive(Debug)]
struct Partition {
    /// The number after its last one.
    next: i64,
    may_go_on: bool,
}

/// Where to ask again for what was missed: once, twice, three times from the start, then once again, and so on, each time with
/// the end of another partition in between. With a steady rhythm, some of the brokers that answer in turns might never answer.
#[derive(Debug, Default)]
struct Again {
    from_start: usize,
    from_ends: usize,
}

impl Again {
    fn next_from(&mut self, partitions: &BTreeMap<i64, Partition>) -> i64 {
        if self.from_start <= self.from_ends % 3 {
            self.from_start += 1;
            return FIRST_SEQUENCE_NUMBER;
        }
        self.from_start = 0;
        self.from_ends += 1;
        let place = self.from_ends.checked_rem(partitions.len());
        let partition = place.and_then(|place| partitions.values().nth(place));
        partition.map_or(FIRST_SEQUENCE_NUMBER, |partition| partition.next)
    }
}

impl Paging {
    /// From now on a page may have any messages.
    pub(super) fn scatter(&mut self) {
        self.scattered = true;
    }

    pub(super) fn is_scattered(&self) -> bool {
        self.scattered
    }

    /// Whether a number shows that the topic is partitioned.
    pub(super) fn has_seen_partitions(&self) -> bool {
        self.partitions.keys().any(|partition| *partition > 0)
    }

    /// Sets how many messages there are by the service's count, if it says so.
    pub(super) fn expect(&mut self, count: Option<u64>) {
        self.count = count;
    }

    /// Where the next page begins, if there is one.
    pub(super) fn next_from(&mut self) -> Option<i64> {
        // Higher partitions first: a page that begins in a lower one may also have messages of all higher ones.
        if let Some(open) = self.partitions.values().rev().find(|partition| partition.may_go_on) {
            return Some(open.next);
        }
        if self.asked && (!self.scattered || self.are_all() || self.fruitless >= MAX_FRUITLESS) {
            return None;
        }
        Some(self.again.next_from(&self.partitions))
    }

    /// Where new messages are found, if numbers ascend.
    pub(super) fn after_the_last(&self) -> i64 {
        self.partitions.values().next_back().map_or(FIRST_SEQUENCE_NUMBER, |partition| partition.next)
    }

    /// Notes the numbers of a page that begins at `from`, and keeps those that were not seen before.
    ///
    /// # Errors
    /// The page's last number, if an ascending page cannot have it.
    pub(super) fn note(&mut self, from: i64, numbers: &mut Vec<i64>) -> Result<(), i64> {
        self.asked = true;
        self.scattered |= numbers.iter().any(|number| partition_of(*number) > 0);
        let last = numbers.iter().max();
        if let Some(last) = last.filter(|last| !self.scattered && **last < from) {
            return Err(*last);
        }
        numbers.retain(|number| (*number >= from || self.scattered) && self.seen.insert(*number));
        for number in numbers.iter() {
            let next = number.saturating_add(1);
            let partition = self.partitions.entry(partition_of(*number)).or_insert(Partition { next, may_go_on: true });
            partition.next = partition.next.max(next);
            partition.may_go_on = true;
        }
        let goes_on = numbers.iter().any(|number| partition_of(*number) == partition_of(from));
        if let Some(partition) = self.partitions.get_mut(&partition_of(from)) {
            partition.may_go_on &= goes_on || partition.next != from;
        }
        self.fruitless = if numbers.is_empty() { self.fruitless + 1 } else { 0 };
        Ok(())
    }

    /// Whether there is nothing after what was seen.
    pub(super) fn is_at_the_end(&self) -> bool {
        let may_go_on = self.partitions.values().any(|partition| partition.may_go_on);
        self.asked && !may_go_on && (!self.scattered || self.are_all())
    }

    /// The sequence number up to which no message is missing.
    pub(super) fn covered_to(&self) -> i64 {
        if self.scattered {
            0
        } else if self.is_at_the_end() {
            i64::MAX
        } else {
            self.seen.iter().copied().max().unwrap_or_default()
        }
    }

    fn are_all(&self) -> bool {
        self.count.is_some_and(|count| self.seen.len() as u64 >= count)
    }
}
