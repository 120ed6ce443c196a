//! Which messages get a container group now.
//!
//! A message gets one if and only if it is active, not expired, valid, the first of its id in its subscription, has no
//! active group, its next attempt is due ([`retry`]), Azure has not refused its group lately ([`eligibility`]), its
//! subscription's [`breaker`] admits it, and a slot is free ([`slots`]).

pub(super) mod breaker;
pub(super) mod eligibility;
pub(super) mod retry;
mod slots;

use std::collections::VecDeque;

use super::decision::{Create, MessageOutcome};
use super::facts::Facts;
use super::policy::Policy;
use super::snapshot::ObservedSubscription;
use crate::message::MessageAddress;
use breaker::Breaker;
use eligibility::{Candidate, Eligibility};
use slots::Queue;

/// The groups to create, the most urgent first, and what becomes of all other messages.
pub(super) fn plan_messages(
    facts: &Facts<'_>,
    subscriptions: &[ObservedSubscription],
    policy: &Policy,
) -> (Vec<Create>, Vec<(MessageAddress, MessageOutcome)>) {
    let mut outcomes = Vec::new();
    let mut queues = Vec::new();
    for subscription in subscriptions {
        let mut candidates = VecDeque::new();
        let mut eligibility = Eligibility::new(facts, &subscription.name);
        for message in &subscription.messages {
            match eligibility.judge(message) {
                Ok(candidate) => candidates.push_back(candidate),
                Err(outcome) => outcomes.push((subscription.address_of(message), outcome)),
            }
        }
        let admission = Breaker::of(facts, &subscription.name).admission();
        let active = facts.groups.active_in(&subscription.name);
        queues.push(Queue::new(&subscription.name, active, admission, candidates));
    }
    let (served, waiting) = slots::share_out(queues, facts.groups.capacity().free());
    outcomes.extend(waiting.into_iter().map(|(candidate, outcome)| (candidate.job.message(), outcome)));
    let create =
        |Candidate { job, record, .. }| Create { message: job.message(), spec: policy.recipe.group_for(&job), record };
    (served.into_iter().map(create).collect(), outcomes)
}
