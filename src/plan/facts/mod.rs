//! What is known of the groups and the messages, before any rule decides.

mod groups;
mod history;
mod messages;

pub(super) use groups::{GroupState, KnownGroup, KnownGroups};
pub(super) use history::History;
pub(super) use messages::{KnownMessages, MessageStatus};

use time::OffsetDateTime;

use super::memory::Memory;
use super::policy::Rules;

/// All that rules about messages need to know, but for the messages.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) groups: KnownGroups,
    pub(super) memory: &'a Memory,
    pub(super) rules: &'a Rules,
    pub(super) now: OffsetDateTime,
}

impl<'a> Facts<'a> {
    pub(super) fn of(
        groups: &[super::ObservedGroup],
        memory: &'a Memory,
        rules: &'a Rules,
        now: OffsetDateTime,
    ) -> Self {
        Self { groups: KnownGroups::of(groups, memory, rules, now), memory, rules, now }
    }
}
