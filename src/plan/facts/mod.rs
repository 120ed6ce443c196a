//! What is known of the groups and the messages, before any rule decides.

mod ends;
mod groups;
mod history;
mod messages;

pub(super) use groups::{GroupState, KnownGroup, KnownGroups};
pub(super) use history::History;
pub(super) use messages::{KnownMessages, MessageStatus};

use time::OffsetDateTime;

use super::memory::Memory;
use super::policy::{Policy, Rules};
use super::snapshot::ObservedGroup;
use crate::container_group::Recipe;

/// All that rules about messages need to know, but for the messages.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) groups: KnownGroups,
    pub(super) memory: &'a Memory,
    pub(super) rules: &'a Rules,
    pub(super) recipe: &'a Recipe,
    pub(super) now: OffsetDateTime,
}

impl<'a> Facts<'a> {
    pub(super) fn of(groups: &[ObservedGroup], memory: &'a Memory, policy: &'a Policy, now: OffsetDateTime) -> Self {
        let Policy { rules, recipe } = policy;
        Self { groups: KnownGroups::of(groups, memory, policy, now), memory, rules, recipe, now }
    }
}
