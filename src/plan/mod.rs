//! What a pass does, decided from what it observed.
//!
//! [`plan`] is pure: the same snapshot, memory, policy and time make the same plan. Active groups, those whose state could
//! not be read included, and groups to be created never exceed the cap together, as far as this pass decides it. Groups
//! that have ended hold no slot.

mod decision;
mod facts;
mod groups;
mod memory;
mod messages;
mod policy;
mod reading;
mod snapshot;

#[cfg(test)]
mod tests;

use time::OffsetDateTime;

pub use decision::{Capacity, Create, Delete, DeleteReason, GroupOutcome, MessageOutcome, Plan, TagChange};
pub use memory::{Condition, Memory};
pub use policy::{Policy, Rules};
pub use reading::{Demand, Reading};
pub use snapshot::{ObservedGroup, ObservedSubscription, Read, Snapshot, UnservedSubscription};

use facts::{Facts, KnownMessages};
use groups::GroupPlan;

/// Decides what a pass does.
pub fn plan(snapshot: &Snapshot, memory: &Memory, policy: &Policy, now: OffsetDateTime) -> Plan {
    let facts = Facts::of(&snapshot.groups, memory, &policy.rules, now);
    let (creates, messages) = messages::plan_messages(&facts, &snapshot.subscriptions, policy);

    let known_messages = KnownMessages::of(snapshot, now);
    let GroupPlan { deletes, stay, tag_changes, memory } = groups::plan_groups(&facts, &known_messages, &creates);

    Plan { creates, messages, deletes, groups: stay, tag_changes, memory, capacity: facts.groups.capacity() }
}
