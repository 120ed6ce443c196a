//! What is known of the groups and the messages, before any rule decides.

mod ends;
mod groups;
mod history;
mod messages;
mod state;
mod vanished;

pub(super) use groups::{KnownGroup, KnownGroups};
pub(super) use history::History;
pub(super) use messages::{KnownMessages, MessageStatus};
pub(super) use state::GroupState;

use std::sync::Arc;

use time::OffsetDateTime;

use super::memory::Memory;
use super::policy::{Policy, Rules};
use super::snapshot::ObservedGroup;
use crate::container_group::{GroupName, Recipe};
use crate::message::MessageAddress;

/// All that rules about messages need to know, but for the messages.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) groups: KnownGroups,
    pub(super) memory: Memory,
    pub(super) rules: &'a Rules,
    pub(super) recipe: &'a Arc<Recipe>,
    pub(super) now: OffsetDateTime,
    /// Whether a group may be deleted for its age.
    pub(super) ages_count: bool,
    /// Groups that are gone without this process, and their messages.
    pub(super) vanished: Vec<(MessageAddress, GroupName)>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(groups: &[ObservedGroup], memory: &Memory, policy: &'a Policy, now: OffsetDateTime) -> Self {
        let Policy { rules, recipe } = policy;
        let memory = memory.as_of(now);
        let groups = KnownGroups::of(groups, &memory, policy, now);
        let mut facts = Self { groups, memory, rules, recipe, now, ages_count: true, vanished: Vec::new() };
        facts.forget_what_a_retry_has_ended();
        let vanished = vanished::vanished(&facts.groups, &facts.memory, now);
        facts.vanished = vanished.iter().map(|(message, record)| (message.clone(), record.group.0.clone())).collect();
        if rules.count_attempts() {
            facts.memory.deleted_records.extend(vanished);
        }
        facts
    }

    /// Nobody knows how old a group is.
    pub(super) fn distrust_ages(&mut self) {
        self.ages_count = false;
        self.groups.distrust_ages();
    }
}
