//! What a pass does, decided from what it observed.
//!
//! [`plan`] is pure: the same snapshot, memory, policy and time make the same plan. Active groups and groups to be created
//! together never exceed the cap. A group whose state could not be read counts as active; one that has ended holds no slot.

mod capacity;
mod cause;
mod decision;
mod facts;
mod groups;
mod memory;
mod messages;
mod policy;
mod reading;
mod snapshot;
mod waiting;

#[cfg(test)]
mod tests;

use time::OffsetDateTime;

pub use capacity::Capacity;
pub use cause::{AttemptEnd, BreakerFailures};
pub use decision::{Create, Delete, DeleteReason, GroupOutcome, MessageOutcome, Plan, TagChange};
pub(crate) use groups::retention::limit as most_groups;
pub use memory::{Condition, Memory};
pub(crate) use memory::{FailureCause, FailureKind};
pub(crate) use messages::failed_creates::DISTINCT_MESSAGES;
pub use policy::{Policy, Rules};
pub use reading::{Demand, Reading};
pub use snapshot::{Look, ObservedGroup, ObservedSubscription, Read, Snapshot, UnservedSubscription};

use facts::{Facts, KnownMessages};
use groups::GroupPlan;
use messages::MessagePlan;

/// Decides what a pass does.
pub fn plan(snapshot: &Snapshot, memory: &Memory, policy: &Policy, now: OffsetDateTime) -> Plan {
    let mut facts = Facts::of(&snapshot.groups, memory, policy, now);
    if snapshot.time_is_doubtful {
        facts.distrust_ages();
    }
    let MessagePlan { creates, reserves, outcomes: mut messages } =
        messages::plan_messages(&facts, &snapshot.subscriptions, policy);

    let known_messages = KnownMessages::of(snapshot, now);
    let GroupPlan { deletes, stay, vanished, tag_changes, memory } =
        groups::plan_groups(&facts, &known_messages, &creates);

    // A reserve can be created only while the record of the attempt before it exists.
    let loses_record = |create: &Create| {
        deletes.iter().any(|delete| create.record.as_ref().is_some_and(|record| record.name == delete.group.name))
    };
    let (waiting, reserves): (Vec<_>, Vec<_>) = reserves.into_iter().partition(loses_record);
    messages.extend(waiting.into_iter().map(|create| (create.message, MessageOutcome::WaitingCapacity)));

    let capacity = facts.groups.capacity();
    Plan { creates, reserves, messages, deletes, groups: stay, vanished, tag_changes, memory, capacity }
}
