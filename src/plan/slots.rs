//! Who gets the free slots: the subscription with the fewest active and planned groups first, ties by name, and the
//! oldest message first within one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::breaker::Flow;
use super::sift::{Candidate, Skip};
use crate::message::PeekedMessage;

/// A subscription's new messages, oldest first.
pub(super) struct Queue<'a> {
    subscription: &'a str,
    groups: u32,
    flow: Flow,
    candidates: VecDeque<(&'a PeekedMessage, Candidate)>,
}

/// A message that gets a slot, with its subscription.
pub(super) type Served<'a> = (&'a str, &'a PeekedMessage, Candidate);

/// A message that does not, with its subscription.
pub(super) type Waiting<'a> = (&'a str, &'a PeekedMessage, Skip);

impl<'a> Queue<'a> {
    /// An empty queue of a subscription that has this many active groups.
    pub(super) fn new(subscription: &'a str, groups: u32, flow: Flow) -> Self {
        Self { subscription, groups, flow, candidates: VecDeque::new() }
    }

    /// Adds a message that is younger than all so far.
    pub(super) fn push(&mut self, message: &'a PeekedMessage, candidate: Candidate) {
        self.candidates.push_back((message, candidate));
    }

    fn next(&mut self) -> Option<(&'a PeekedMessage, Candidate)> {
        match self.flow {
            Flow::Free => self.candidates.pop_front(),
            Flow::Held { .. } => None,
            Flow::Probe => {
                self.flow = Flow::Held { until: None };
                // The message that has failed least, or else a few bad ones would be all that is ever tried.
                let failures = self.candidates.iter().map(|(_, candidate)| candidate.failures);
                let (index, _) = failures.enumerate().min_by_key(|(_, failures)| *failures)?;
                self.candidates.remove(index)
            }
        }
    }

    fn into_waiting(self) -> impl Iterator<Item = Waiting<'a>> {
        let skip = match self.flow {
            Flow::Held { until } => Skip::HeldByBreaker { until },
            Flow::Free | Flow::Probe => Skip::WaitingForSlot,
        };
        self.candidates.into_iter().map(move |(message, _)| (self.subscription, message, skip.clone()))
    }
}

/// Gives the free slots away, one at a time.
pub(super) fn share_out(mut queues: Vec<Queue<'_>>, free: u32) -> (Vec<Served<'_>>, Vec<Waiting<'_>>) {
    let mut turns: BinaryHeap<_> =
        queues.iter().enumerate().map(|(index, queue)| Reverse((queue.groups, queue.subscription, index))).collect();
    let mut served = Vec::new();
    while served.len() < free as usize
        && let Some(Reverse((groups, subscription, index))) = turns.pop()
    {
        if let Some((message, candidate)) = queues[index].next() {
            served.push((subscription, message, candidate));
            turns.push(Reverse((groups + 1, subscription, index)));
        }
    }
    (served, queues.into_iter().flat_map(Queue::into_waiting).collect())
}
