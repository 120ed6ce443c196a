//! Who gets the free slots: the subscription with the fewest active and planned groups first, ties by name, and the
//! oldest message first within one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::breaker::Admission;
use super::eligibility::Candidate;
use crate::message::SubscriptionName;
use crate::plan::decision::MessageOutcome;

/// Messages that may take the slots of others in one pass: many more than Azure refuses one by one before it is clear that
/// it refuses them all.
const MAX_RESERVES: usize = 100;

/// A subscription's candidates, oldest first.
pub(super) struct Queue<'a> {
    subscription: &'a SubscriptionName,
    /// Active and planned.
    groups: u32,
    admission: Admission,
    /// Why one create is tried at a time, if it is.
    failing: Option<&'a str>,
    candidates: VecDeque<Candidate>,
}

impl<'a> Queue<'a> {
    pub(super) fn new(
        subscription: &'a SubscriptionName,
        active: u32,
        admission: Admission,
        failing: Option<&'a str>,
        candidates: VecDeque<Candidate>,
    ) -> Self {
        let admission = if failing.is_some() && admission == Admission::Open { Admission::Probe } else { admission };
        Self { subscription, groups: active, admission, failing, candidates }
    }

    fn next(&mut self) -> Option<Candidate> {
        match self.admission {
            Admission::Open => self.candidates.pop_front(),
            Admission::Held { .. } => None,
            Admission::Probe => {
                self.admission = Admission::Held { until: None };
                // The message that has failed least, or else a few bad ones would be all that is ever tried.
                let failures =
                    self.candidates.iter().map(|candidate| (candidate.attempts_made, candidate.create_failures));
                let (index, _) = failures.enumerate().min_by_key(|(_, failures)| *failures)?;
                self.candidates.remove(index)
            }
        }
    }

    fn into_waiting(self) -> impl Iterator<Item = (Candidate, MessageOutcome)> {
        let outcome = match (self.admission, self.failing) {
            (Admission::Held { until: None }, Some(reason)) => {
                MessageOutcome::HeldByFailedCreates { reason: reason.to_owned() }
            }
            (Admission::Held { until }, _) => MessageOutcome::HeldByBreaker { until },
            (Admission::Open | Admission::Probe, _) => MessageOutcome::WaitingCapacity,
        };
        self.candidates.into_iter().map(move |candidate| (candidate, outcome.clone()))
    }
}

/// What becomes of the candidates.
pub(super) struct Shares {
    /// Those who get a slot, in the order in which they do.
    pub(super) served: Vec<Candidate>,
    /// Those who get the slots of those that Azure refuses, in order.
    pub(super) reserves: Vec<Candidate>,
    pub(super) waiting: Vec<(Candidate, MessageOutcome)>,
}

pub(super) fn share_out(mut queues: Vec<Queue<'_>>, free: u32) -> Shares {
    let mut turns: BinaryHeap<_> =
        queues.iter().enumerate().map(|(index, queue)| Reverse((queue.groups, queue.subscription, index))).collect();
    let mut next = |may_probe: bool| {
        while let Some(Reverse((groups, subscription, index))) = turns.pop() {
            let queue = &mut queues[index];
            if (may_probe || queue.admission == Admission::Open)
                && let Some(candidate) = queue.next()
            {
                turns.push(Reverse((groups + 1, subscription, index)));
                return Some(candidate);
            }
        }
        None
    };
    let served: Vec<_> = std::iter::from_fn(|| next(true)).take(free as usize).collect();
    let reserves = if served.is_empty() { 0 } else { MAX_RESERVES };
    let reserves = std::iter::from_fn(|| next(false)).take(reserves).collect();
    Shares { served, reserves, waiting: queues.into_iter().flat_map(Queue::into_waiting).collect() }
}
