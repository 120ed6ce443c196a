//! What is counted.

use std::collections::BTreeMap;

use crate::world::{BACKOFF, PASS, Seconds};

/// What a rule made of a mix.
#[derive(Debug, Default)]
pub struct Tally {
    pub messages: usize,
    pub containers: usize,
    /// From each container group's creation to its end.
    pub container_seconds: Seconds,
    /// By run and sequence number: from the message's arrival until the worker took it that settled it.
    pub waits: BTreeMap<(usize, i64), Seconds>,
    /// Messages that waited for more than a back-off and a pass longer than under the plain rule.
    pub later_than_plain: usize,
    /// Messages that waited for a spare for longer than the back-off of their attempt, in passes.
    pub put_off_too_long: usize,
    /// Workers killed for want of memory.
    pub out_of_memory: usize,
    pub dead_lettered: usize,
}

impl Tally {
    /// Adds another run, of which these are the waits under the plain rule.
    pub fn add(&mut self, other: Self, plain: &BTreeMap<(usize, i64), Seconds>) {
        let is_later =
            |(of, wait): &(&(usize, i64), &Seconds)| plain.get(of).is_some_and(|by| **wait > by + BACKOFF + PASS);
        self.later_than_plain += other.waits.iter().filter(is_later).count();
        let run = self.messages;
        self.waits.extend(other.waits.into_iter().map(|((_, number), wait)| ((run, number), wait)));
        self.messages += other.messages;
        self.containers += other.containers;
        self.container_seconds += other.container_seconds;
        self.put_off_too_long += other.put_off_too_long;
        self.out_of_memory += other.out_of_memory;
        self.dead_lettered += other.dead_lettered;
    }
}
