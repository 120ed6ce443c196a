//! Which messages get a container group now.
//!
//! A message gets one if and only if
//! * it is active, valid, not expired, and the first with its id in its subscription;
//! * it has no active group, its next attempt is due ([`retry`]), and no create for it failed lately ([`eligibility`]);
//! * its subscription's [`breaker`] and [`failed_creates`] let it through;
//! * its subscription is below its own cap, and a slot is free.
//!
//! Free slots go to the subscription with the fewest active and planned groups first (to the first by name among equals), and
//! to the oldest message within a subscription.

pub(super) mod breaker;
pub(super) mod eligibility;
pub(crate) mod failed_creates;
pub(super) mod retry;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::cause::BreakerFailures;
use super::decision::{Create, MessageOutcome};
use super::facts::Facts;
use super::policy::Policy;
use super::snapshot::ObservedSubscription;
use crate::message::{MessageAddress, SubscriptionName};
use breaker::{Admission, Breaker};
use eligibility::{Candidate, Eligibility};

/// The most messages that may take the slots of refused ones in a pass: many more than Azure refuses before it is clear that
/// it refuses all.
const MAX_RESERVES: usize = 100;

/// The part of a plan that is about messages.
pub(super) struct MessagePlan {
    pub(super) creates: Vec<Create>,
    pub(super) reserves: Vec<Create>,
    pub(super) outcomes: Vec<(MessageAddress, MessageOutcome)>,
}

pub(super) fn plan_messages(facts: &Facts<'_>, subscriptions: &[ObservedSubscription], policy: &Policy) -> MessagePlan {
    let mut outcomes = Vec::new();
    let mut queues = Vec::new();
    for subscription in subscriptions {
        let mut candidates = VecDeque::new();
        let mut eligibility = Eligibility::new(facts, &subscription.name);
        eligibility.reserve(subscription.messages.len());
        for message in &subscription.messages {
            match eligibility.judge(message) {
                Ok(candidate) => candidates.push_back(candidate),
                Err(outcome) => outcomes.push((subscription.address_of(message), outcome)),
            }
        }
        let breaker = Breaker::of(facts, &subscription.name);
        let (admission, failures) = (breaker.admission(), breaker.causes());
        let failing = failed_creates::common_reason(facts, &subscription.name);
        let active = facts.groups.active_in(&subscription.name);
        let max_groups = policy.recipe.max_instances(&subscription.name).unwrap_or(u32::MAX);
        let queue = Queue::new(&subscription.name, active, max_groups, admission, failing, candidates);
        queues.push(Queue { failures, ..queue });
    }
    let Shares { served, reserves, waiting } = share_out(queues, free_slots(facts));
    outcomes.extend(waiting.into_iter().map(|(candidate, outcome)| (candidate.job.message(), outcome)));
    let create =
        |Candidate { job, record, .. }| Create { message: job.message(), spec: policy.recipe.group_for(&job), record };
    MessagePlan {
        creates: served.into_iter().map(create).collect(),
        reserves: reserves.into_iter().map(create).collect(),
        outcomes,
    }
}

/// Groups whose tags are removed are never deleted. While something removes the tags of new groups, one create a pass is
/// enough to see whether that is still so.
fn free_slots(facts: &Facts<'_>) -> u32 {
    let free = facts.groups.capacity().free();
    if facts.memory.tags_are_rewritten { free.min(1) } else { free }
}

/// A subscription's candidates, oldest first.
struct Queue<'a> {
    subscription: &'a SubscriptionName,
    /// Its active and planned groups.
    groups: u32,
    /// The most groups that it may have.
    max_groups: u32,
    admission: Admission,
    /// Why its creates fail, if they do so for a common reason.
    failing: Option<&'a str>,
    /// The failures that count for its breaker.
    failures: Option<BreakerFailures>,
    candidates: VecDeque<Candidate>,
}

impl<'a> Queue<'a> {
    fn new(
        subscription: &'a SubscriptionName,
        active: u32,
        max_groups: u32,
        admission: Admission,
        failing: Option<&'a str>,
        candidates: VecDeque<Candidate>,
    ) -> Self {
        let admission = if failing.is_some() && admission == Admission::Open { Admission::Probe } else { admission };
        Self { subscription, groups: active, max_groups, admission, failing, failures: None, candidates }
    }

    fn next(&mut self) -> Option<Candidate> {
        // A message that an operator retries does not wait for the breaker.
        if self.admission != Admission::Open
            && self.failing.is_none()
            && let Some(index) = self.candidates.iter().position(|candidate| candidate.is_retried)
        {
            return self.candidates.remove(index);
        }
        match self.admission {
            Admission::Open => self.candidates.pop_front(),
            Admission::Held { .. } => None,
            Admission::Probe => {
                self.admission = Admission::Held { until: None };
                // The message that failed least often, or a few bad ones would take every turn. One that gets more memory
                // now counts as not tried yet; otherwise it would wait for as long as new messages arrive.
                let attempts_alike = |candidate: &Candidate| if candidate.grows { 0 } else { candidate.attempts_made };
                let failures =
                    self.candidates.iter().map(|candidate| (attempts_alike(candidate), candidate.create_failures));
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
            (Admission::Held { until }, _) => MessageOutcome::HeldByBreaker { until, failures: self.failures },
            (Admission::Open | Admission::Probe, _) => MessageOutcome::WaitingCapacity,
        };
        self.candidates.into_iter().map(move |candidate| (candidate, outcome.clone()))
    }
}

/// Which candidates get a slot.
struct Shares {
    /// Those that get a slot, in order.
    served: Vec<Candidate>,
    /// Those that get the slot of one that Azure refuses, in order.
    reserves: Vec<Candidate>,
    waiting: Vec<(Candidate, MessageOutcome)>,
}

fn share_out(mut queues: Vec<Queue<'_>>, free: u32) -> Shares {
    let mut turns: BinaryHeap<_> =
        queues.iter().enumerate().map(|(index, queue)| Reverse((queue.groups, queue.subscription, index))).collect();
    let mut next = |may_probe: bool| {
        while let Some(Reverse((groups, subscription, index))) = turns.pop() {
            let queue = &mut queues[index];
            if groups < queue.max_groups
                && (may_probe || queue.admission == Admission::Open)
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
