//! Which messages get a container group now.
//!
//! A message gets one if and only if it is active, not expired, valid, the first of its id in its subscription, has no
//! active group, its next attempt is due ([`retry`]), its group has not failed to be created lately ([`eligibility`]), its
//! subscription's [`breaker`] and [`failed_creates`] admit it, and a slot is free ([`slots`]).

pub(super) mod breaker;
pub(super) mod eligibility;
pub(crate) mod failed_creates;
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
use slots::{Queue, Shares};

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
        for message in &subscription.messages {
            match eligibility.judge(message) {
                Ok(candidate) => candidates.push_back(candidate),
                Err(outcome) => outcomes.push((subscription.address_of(message), outcome)),
            }
        }
        let admission = Breaker::of(facts, &subscription.name).admission();
        let failing = failed_creates::common_reason(facts, &subscription.name);
        let active = facts.groups.active_in(&subscription.name);
        queues.push(Queue::new(&subscription.name, active, admission, failing, candidates));
    }
    let Shares { served, reserves, waiting } = slots::share_out(queues, free_slots(facts));
    outcomes.extend(waiting.into_iter().map(|(candidate, outcome)| (candidate.job.message(), outcome)));
    let create =
        |Candidate { job, record, .. }| Create { message: job.message(), spec: policy.recipe.group_for(&job), record };
    MessagePlan {
        creates: served.into_iter().map(create).collect(),
        reserves: reserves.into_iter().map(create).collect(),
        outcomes,
    }
}

/// Where something takes our tags from the groups that are created, nobody but this process knows which they are, and none
/// of them is ever deleted: one in a pass is enough to see whether that is still so.
fn free_slots(facts: &Facts<'_>) -> u32 {
    let free = facts.groups.capacity().free();
    if facts.memory.tags_are_rewritten { free.min(1) } else { free }
}
