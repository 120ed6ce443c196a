//! Who gets the free slots: the subscription with the fewest active and planned groups first, ties by name, and the
//! oldest message first within one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::breaker::Admission;
use super::eligibility::Candidate;
use crate::message::SubscriptionName;
use crate::plan::decision::MessageOutcome;

/// A subscription's candidates, oldest first.
pub(super) struct Queue<'a> {
    subscription: &'a SubscriptionName,
    /// Active and planned.
    groups: u32,
    admission: Admission,
    candidates: VecDeque<Candidate>,
}

impl<'a> Queue<'a> {
    pub(super) fn new(
        subscription: &'a SubscriptionName,
        active: u32,
        admission: Admission,
        candidates: VecDeque<Candidate>,
    ) -> Self {
        Self { subscription, groups: active, admission, candidates }
    }

    fn next(&mut self) -> Option<Candidate> {
        match self.admission {
            Admission::Open => self.candidates.pop_front(),
            Admission::Held { .. } => None,
            Admission::Probe => {
                self.admission = Admission::Held { until: None };
                // The message that has failed least, or else a few bad ones would be all that is ever tried.
                let failures = self.candidates.iter().map(|candidate| candidate.attempts_made);
                let (index, _) = failures.enumerate().min_by_key(|(_, failures)| *failures)?;
                self.candidates.remove(index)
            }
        }
    }

    fn into_waiting(self) -> impl Iterator<Item = (Candidate, MessageOutcome)> {
        let outcome = match self.admission {
            Admission::Held { until } => MessageOutcome::HeldByBreaker { until },
            Admission::Open | Admission::Probe => MessageOutcome::WaitingCapacity,
        };
        self.candidates.into_iter().map(move |candidate| (candidate, outcome.clone()))
    }
}

/// Those who get a slot, in the order in which they do, and those who wait.
pub(super) fn share_out(mut queues: Vec<Queue<'_>>, free: u32) -> (Vec<Candidate>, Vec<(Candidate, MessageOutcome)>) {
    let mut turns: BinaryHeap<_> =
        queues.iter().enumerate().map(|(index, queue)| Reverse((queue.groups, queue.subscription, index))).collect();
    let mut served = Vec::new();
    while served.len() < free as usize
        && let Some(Reverse((groups, subscription, index))) = turns.pop()
    {
        if let Some(candidate) = queues[index].next() {
            served.push(candidate);
            turns.push(Reverse((groups + 1, subscription, index)));
        }
    }
    (served, queues.into_iter().flat_map(Queue::into_waiting).collect())
}
