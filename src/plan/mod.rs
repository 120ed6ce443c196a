//! What a pass does, decided from what it observed.
//!
//! [`plan`] is pure: the same snapshot, memory, policy and time make the same plan. A plan leaves nothing to decide:
//! each group to create is there in full, and every observed message and group is in it exactly once.
//!
//! * A message gets a group if and only if it is active, not expired, valid, the first of its id in its subscription,
//!   has no active group, the attempt is due ([`attempts`]), Azure has not refused its group lately, no other group is
//!   expected to serve it ([`spares`]), its subscription's [`breaker`] lets it through, and a slot is free.
//! * Active groups, those whose state could not be read included, and groups to be created never exceed the cap
//!   together, as far as this pass decides it. Terminal groups hold no slot.
//! * A terminal group is deleted if and only if it is managed, not kept, its subscription was not one that could not be
//!   read, and its message is known to be gone or set aside (unless it is the [`breaker`]'s witness), or the next
//!   attempt has its own group already, which will last for a pass, or there are too many [`records`], or its
//!   provisioning has failed for as long as a group is given to start, or no attempts are counted.
//! * Any other group is deleted if and only if it is managed, not kept, its subscription was not one that could not be
//!   read, and it did not start or did not end in its time, or orphans are to go and a peek at its message's own
//!   sequence number has shown that the message is gone, for long enough.

mod attempts;
mod breaker;
mod census;
mod groups;
mod memory;
mod policy;
mod presence;
mod records;
mod sift;
mod slots;
mod spares;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

pub use census::Census;
pub use memory::{Mark, Memory};
pub use policy::{Policy, Rules};
pub use sift::{Sieve, Sifted, Skip};

use crate::container_group::{ContainerGroup, GroupName, GroupSpec};
use breaker::Breaker;
use presence::Whereabouts;
use spares::Spares;

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
    /// No message up to this sequence number is missing from the messages; `i64::MAX` when they go to the end.
    pub covered_to: i64,
    /// Sequence numbers at which a peek of their own has found nothing.
    pub absent: BTreeSet<i64>,
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
    pub deletes: Vec<Delete>,
    /// Groups that stay, and why.
    pub keeps: Vec<(GroupName, Keep)>,
    /// Groups that stay, and whose tags are to say since when.
    pub markings: Vec<Marking>,
    /// What the next pass has to know, if this plan is carried out.
    pub memory: Memory,
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
    /// The record of the last attempt, which must still be there, or the attempt is somebody else's.
    pub after: Option<GroupName>,
}

/// A group to delete.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The group.
    pub group: ContainerGroup,
    /// Why it goes.
    pub reason: Reason,
}

/// Why a group goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is terminal, and its message wants no other.
    Finished,
    /// It is terminal, and the next attempt has its own group.
    Superseded,
    /// It is terminal, and there are too many like it.
    Evicted,
    /// It has not begun to run in the time it was given, or its provisioning has failed for as long.
    Stuck,
    /// It has run for longer than it may.
    Overran,
    /// It runs, and its message has been gone for long.
    Orphaned,
}

/// A change of what a group's tags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marking {
    /// The group.
    pub group: GroupName,
    /// The only mark that it is to have from now on, if any, and since when.
    pub mark: Option<(Mark, OffsetDateTime)>,
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
    /// It is terminal, and the read did not come to its message.
    MessageUnknown,
    /// It is terminal with its message still there: the record of an attempt.
    Record {
        /// Which attempt, from 1.
        attempt: u32,
        /// When the next one is due, unless it is already, or never.
        until: Option<OffsetDateTime>,
    },
    /// It is terminal, and shows that its subscription is not as broken as others make it look.
    Witness,
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
pub fn plan(snapshot: &Snapshot, memory: &Memory, policy: &Policy, now: OffsetDateTime) -> Plan {
    let census = Census::of(&snapshot.groups, memory, &policy.rules, now);
    let mut plan = Plan { capacity: census.capacity(), ..Plan::default() };
    let whereabouts = Whereabouts::of(snapshot, now);
    plan_messages(&mut plan, snapshot, &census, &whereabouts, policy, now);
    groups::plan_groups(&mut plan, &snapshot.groups, &census, &whereabouts, &policy.rules, now);
    plan
}

fn plan_messages(
    plan: &mut Plan,
    snapshot: &Snapshot,
    census: &Census,
    whereabouts: &Whereabouts<'_>,
    policy: &Policy,
    now: OffsetDateTime,
) {
    let rules = &policy.rules;
    let mut queues = Vec::new();
    for subscription in &snapshot.subscriptions {
        let name = &subscription.name;
        let mut sieve = Sieve::new(census, rules, name, now);
        let flow = Breaker::of(census, &name.to_lowercase(), rules, now).flow(rules, now);
        let mut queue = slots::Queue::new(name, census.active_in(name), flow);
        let mut spares = Spares::of(census, name, whereabouts, policy, now);
        for message in &subscription.messages {
            match spares.consider(message, sieve.sift(message)) {
                Sifted::New(candidate) => queue.push(message, candidate),
                Sifted::Skip(skip) => plan.skips.push((message_ref(name, message), skip)),
            }
        }
        queues.push(queue);
    }
    let (served, waiting) = slots::share_out(queues, census.capacity().free());
    plan.creates.extend(served.into_iter().map(|(subscription, message, candidate)| Create {
        message: message_ref(subscription, message),
        spec: policy.group_for(&candidate, message.sequence_number),
        after: candidate.after,
    }));
    plan.skips
        .extend(waiting.into_iter().map(|(subscription, message, skip)| (message_ref(subscription, message), skip)));
}

fn message_ref(subscription: &str, message: &PeekedMessage) -> MessageRef {
    MessageRef {
        subscription: subscription.to_owned(),
        sequence_number: message.sequence_number,
        message_id: message.message_id.as_ref().ok().cloned(),
    }
}
