//! What a pass does, decided from what it observed.
//!
//! [`plan`] is pure: the same snapshot, policy and time make the same plan. A plan leaves nothing to decide: each group
//! to create is there in full, and every observed message and group is in it exactly once.
//!
//! * A message gets a group if and only if it is active, not expired, valid, the first of its id in its subscription,
//!   has no group yet, and a slot is free.
//! * Active groups, those whose state could not be read included, and groups to be created never exceed the cap
//!   together, as far as this pass decides it. Terminal groups hold no slot.
//! * A group is deleted if and only if it is managed, not kept, terminal, and its subscription was not one that could
//!   not be read.

mod census;
mod policy;
mod sift;
mod slots;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

pub use census::Census;
pub use policy::Policy;
pub use sift::{Sieve, Sifted, Skip};

use crate::container_group::{ContainerGroup, GroupName, GroupSpec, Liveness, tag};
use crate::message::{MessageId, PeekedMessage};
use crate::services::{ArmError, PeekError};

/// What a pass has observed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The managed container groups.
    pub groups: Vec<ObservedGroup>,
    /// The subscriptions that are not skipped.
    pub subscriptions: Vec<ObservedSubscription>,
    /// The subscriptions that are.
    pub skipped_subscriptions: Vec<String>,
}

/// A managed container group, as far as it could be read.
#[derive(Clone, Debug)]
pub struct ObservedGroup {
    /// The group.
    pub group: ContainerGroup,
    /// Why the states of its containers are not known, if they should be.
    pub unread: Option<ArmError>,
}

/// A subscription and what was peeked in it.
#[derive(Clone, Debug)]
pub struct ObservedSubscription {
    /// Its name.
    pub name: String,
    /// The messages, in the order of the subscription.
    pub messages: Vec<PeekedMessage>,
    /// How far the messages go.
    pub read: Read,
}

/// How far a subscription was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// To its end.
    ToTheEnd,
    /// Until there were enough new messages for all free slots, or to the depth that is set.
    FarEnough,
    /// Until this went wrong: what was not read is unknown, not absent.
    Failed(PeekError),
}

/// What a pass does.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Groups to create, the most urgent first.
    pub creates: Vec<Create>,
    /// Messages that get no group, and why.
    pub skips: Vec<(MessageRef, Skip)>,
    /// Groups to delete.
    pub deletes: Vec<ContainerGroup>,
    /// Groups that stay, and why.
    pub keeps: Vec<(GroupName, Keep)>,
    /// How full the cap is before anything is created.
    pub capacity: Capacity,
}

/// A group to create, and the message it is for.
#[derive(Clone, Debug)]
pub struct Create {
    /// The message.
    pub message: MessageRef,
    /// The group.
    pub spec: GroupSpec,
}

/// A message, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageRef {
    /// Its subscription.
    pub subscription: String,
    /// Its sequence number there.
    pub sequence_number: i64,
    /// Its id, if it has one that can be used.
    pub message_id: Option<MessageId>,
}

impl fmt::Display for MessageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message_id {
            Some(id) => write!(f, "Message {id} of {}", self.subscription),
            None => write!(f, "The message with sequence number {} of {}", self.sequence_number, self.subscription),
        }
    }
}

/// Why a group stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It is at work, or may be.
    Active,
    /// Its state could not be read.
    Unread(ArmError),
    /// An operator asked for it, with the tag `keep=true`.
    Kept,
    /// Its subscription could not be read.
    SubscriptionUnread,
}

/// The cap, and what it has been used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// Most active groups at a time.
    pub max: u32,
    /// Groups that are active.
    pub active: u32,
}

impl Capacity {
    /// Slots that are free.
    pub fn free(self) -> u32 {
        self.max.saturating_sub(self.active)
    }
}

/// Decides what a pass does.
pub fn plan(snapshot: &Snapshot, policy: &Policy, now: OffsetDateTime) -> Plan {
    let census = Census::of(&snapshot.groups, policy.max_instances);
    let mut plan = Plan { capacity: census.capacity(), ..Plan::default() };
    plan_groups(&mut plan, snapshot);
    plan_messages(&mut plan, snapshot, &census, policy, now);
    plan
}

fn plan_groups(plan: &mut Plan, snapshot: &Snapshot) {
    let unread = |group: &ContainerGroup| {
        let of = group.tag(tag::SUBSCRIPTION_NAME);
        snapshot.subscriptions.iter().any(|subscription| {
            matches!(subscription.read, Read::Failed(_))
                // A group of an earlier scaler does not name its subscription: it may be any.
                && of.is_none_or(|of| of.eq_ignore_ascii_case(&subscription.name))
        })
    };
    for ObservedGroup { group, unread: unread_state } in &snapshot.groups {
        let keep = match (unread_state, group.liveness()) {
            (Some(error), _) => Keep::Unread(error.clone()),
            (None, Liveness::Active) => Keep::Active,
            (None, Liveness::Terminal) if group.is_kept() => Keep::Kept,
            (None, Liveness::Terminal) if unread(group) => Keep::SubscriptionUnread,
            (None, Liveness::Terminal) => {
                plan.deletes.push(group.clone());
                continue;
            }
        };
        plan.keeps.push((group.name.clone(), keep));
    }
}

fn plan_messages(plan: &mut Plan, snapshot: &Snapshot, census: &Census, policy: &Policy, now: OffsetDateTime) {
    let mut queues = Vec::new();
    for subscription in &snapshot.subscriptions {
        let mut sieve = Sieve::new(census, &subscription.name, now);
        let mut queue = slots::Queue::new(&subscription.name, census.active_in(&subscription.name));
        for message in &subscription.messages {
            match sieve.sift(message) {
                Sifted::New(candidate) => queue.push(message, candidate),
                Sifted::Skip(skip) => plan.skips.push((message_ref(&subscription.name, message), skip)),
            }
        }
        queues.push(queue);
    }
    let (served, waiting) = slots::share_out(queues, census.capacity().free());
    plan.creates.extend(served.into_iter().map(|(subscription, message, candidate)| Create {
        message: message_ref(subscription, message),
        spec: policy.group_for(&candidate, message.sequence_number),
    }));
    let waits =
        waiting.into_iter().map(|(subscription, message)| (message_ref(subscription, message), Skip::WaitingForSlot));
    plan.skips.extend(waits);
}

fn message_ref(subscription: &str, message: &PeekedMessage) -> MessageRef {
    MessageRef {
        subscription: subscription.to_owned(),
        sequence_number: message.sequence_number,
        message_id: message.message_id.as_ref().ok().cloned(),
    }
}
