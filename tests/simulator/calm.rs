//! Checks that every message is served once the faults have stopped.

use std::collections::{BTreeMap, BTreeSet};

use aci_scaler::container_group::GroupName;
use aci_scaler::message::{MessageAddress, MessageId, SubscriptionName};
use aci_scaler::pass::report::Report;
use aci_scaler::plan::{GroupOutcome, MessageOutcome};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::groups::{Group, Life};
use crate::promises::MAX_SKEW;
use crate::scene::TagPolicy;
use crate::world::World;

/// For how many passes something may be late.
const PATIENCE: u32 = 3;

/// For how many passes messages and groups have been waiting without a reason.
#[derive(Default)]
pub struct Calm {
    messages: BTreeMap<MessageAddress, u32>,
    groups: BTreeMap<GroupName, u32>,
}

impl Calm {
    /// Checks what a pass left to do, and returns whether that is nothing.
    pub fn is_well(&mut self, world: &mut World, report: &Report) -> bool {
        self.check_messages(world, report);
        self.check_groups(world, report);
        let served = report.messages.iter().all(|report| match report.outcome {
            MessageOutcome::Invalid { .. }
            | MessageOutcome::Deferred
            | MessageOutcome::Expired
            | MessageOutcome::Parked { .. }
            // The message before it may be parked or invalid.
            | MessageOutcome::Duplicate
            | MessageOutcome::Finished { .. } => true,
            _ => world.waiting(report.message.subscription.as_str(), report.message.sequence_number).is_none(),
        });
        // Messages that need no group may fill everything that a pass reads.
        let depth = world.scene.settings.processing.peek_depth.get() as usize;
        let read = report.subscriptions.iter().all(|subscription| {
            let name = subscription.name.as_str();
            subscription.to_the_end || subscription.peeked >= depth || world.has_shown_enough(name, report)
        });
        served
            && read
            && self.groups.is_empty()
            && !world.groups.values().any(|group| group.is_managed() && group.is_live())
    }

    /// A message that is due and has a slot gets a group.
    fn check_messages(&mut self, world: &mut World, report: &Report) {
        let made = |kind| report.message_counts.get(kind).copied().unwrap_or_default();
        // The slots may be meant for messages that have to wait for Azure.
        let used =
            report.capacity.active as usize + made("created") + made("found") + made("failed") + made("waiting_quota");
        let room = used < report.capacity.max as usize;
        let may_stay = |group: &Group| group.kept_since.is_some() || world.topic.is_ambiguous(group.number());
        // One that has not answered for long is given its full time in every fourth pass.
        let unread = |name: &SubscriptionName| {
            report.subscriptions.iter().any(|read| read.name == *name && read.error.is_some())
        };
        let read = report.messages.iter().filter(|report| !unread(&report.message.subscription));
        let late = read.filter(|report| match &report.outcome {
            MessageOutcome::Created { .. }
            | MessageOutcome::Changed { .. }
            | MessageOutcome::Running { .. }
            | MessageOutcome::BackingOff { .. }
            | MessageOutcome::Parked { .. }
            | MessageOutcome::HeldByBreaker { .. }
            | MessageOutcome::CreateBackingOff { .. }
            | MessageOutcome::HeldByFailedCreates { .. }
            | MessageOutcome::WaitingQuota { .. }
            | MessageOutcome::Duplicate
            | MessageOutcome::Deferred
            | MessageOutcome::Expired
            | MessageOutcome::Invalid { .. } => false,
            // One group is created in a pass while its tags are rewritten.
            MessageOutcome::WaitingCapacity if world.scene.tag_policy == Some(TagPolicy::Both) => false,
            // An operator's group may be in its way.
            MessageOutcome::Finished { .. } if world.scene.budget.is_some() => false,
            MessageOutcome::Finished { group } => !world.groups.get(group).is_some_and(may_stay),
            // On a partitioned topic several messages with one id may have had groups, with the same names.
            MessageOutcome::Found { group } if world.groups.get(group).is_some_and(may_stay) => false,
            _ => room,
        });
        let late: Vec<_> = late.map(|report| (report.message.clone(), report.outcome.clone())).collect();
        let before = std::mem::take(&mut self.messages);
        for (message, outcome) in late {
            let passes = before.get(&message).copied().unwrap_or_default() + 1;
            if passes > PATIENCE {
                world.violated(format!("{message} is not served: {outcome:?}"));
            }
            self.messages.insert(message, passes);
        }
    }

    /// A group that has ended is deleted, unless it is a record or a last success.
    fn check_groups(&mut self, world: &mut World, report: &Report) {
        let before = std::mem::take(&mut self.groups);
        let budgeted = world.scene.budget.is_some();
        for report in &report.groups {
            let Some(group) = world.groups.get(&report.name) else { continue };
            let stays = match report.outcome {
                GroupOutcome::Record { .. } => !world.is_given_up(group),
                GroupOutcome::LastSuccess
                | GroupOutcome::Kept
                | GroupOutcome::Untagged
                | GroupOutcome::SubscriptionUnread => true,
                GroupOutcome::MessageUnknown => world.topic.is_ambiguous(group.number()),
                _ => false,
            };
            if group.is_live() || stays {
                continue;
            }
            let passes = before.get(&report.name).copied().unwrap_or_default() + 1;
            let name = report.name.clone();
            if passes > PATIENCE && !budgeted {
                world.violated(format!("{name} does not go: {:?}", report.outcome));
            }
            self.groups.insert(name, passes);
        }
    }
}

impl World {
    /// Whether all messages of a partitioned topic that a pass did not see have ids that it did see.
    fn has_shown_enough(&self, name: &str, report: &Report) -> bool {
        let of_it = report.messages.iter().filter(|report| report.message.subscription.as_str() == name);
        let ids: BTreeSet<_> =
            of_it.filter_map(|report| report.message.message_id.as_ref()).map(MessageId::as_str).collect();
        let messages = self.subscriptions[name].messages.values();
        self.topic.is_partitioned()
            && messages.filter(|message| message.valid).all(|message| ids.contains(message.id.as_str()))
    }

    /// Whether Azure may have been going on with a group for as long as allowed, or nothing dates it.
    fn is_given_up(&self, group: &Group) -> bool {
        let Life::Failed { .. } = group.life else { return false };
        let since = OffsetDateTime::parse(group.tag("ended_since"), &Rfc3339).ok();
        let latest = Self::moment(self.now() - MAX_SKEW) - self.scene.settings.aci.provisioning_timeout;
        // An operator may keep the group of an attempt before it.
        let is_needed = self
            .groups
            .values()
            .any(|other| other.is_for(group.subscription(), group.message_id()) && other.attempt() < group.attempt());
        !is_needed && since.is_none_or(|since| since <= latest)
    }
}
