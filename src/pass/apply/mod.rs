//! Carries a plan out: creates, then deletes, then marks.
//!
//! * A group is created if and only if a look-up right before has not found it, and has found the record of the attempt
//!   before it if there was one, the deadline has not passed, what the plan was made from is not outdated, and Azure has
//!   not said that it has no room, for this size or at all, or only a little left.
//! * A group is deleted if and only if its last log lines have been seen to, a look-up right before has found it as it
//!   was when its end was decided, the deadline has not passed, and Azure has not asked for a break.

mod budget;
mod create;
mod delete;
mod mark;
mod requests;

use tokio::time::Instant;

pub(super) use budget::Budget;
use create::Creator;
use delete::Deleter;
pub(super) use requests::Requests;

use super::last_words::LastWords;
use super::report::{GroupOutcome, MessageOutcome};
use super::side_by_side;
use crate::container_group::GroupName;
use crate::deadline::Deadline;
use crate::plan::{Keep, MessageRef, Plan, Skip};
use crate::services::ContainerGroups;

/// What carries a plan out.
pub(super) struct Applier<'a, G> {
    pub(super) groups: &'a G,
    /// Most requests for creates, and then for deletes, at once.
    pub(super) workers: usize,
    pub(super) last_words: &'a LastWords,
    pub(super) budget: &'a Budget,
    pub(super) requests: &'a Requests,
    pub(super) deadline: &'a Deadline,
    /// When the plan is too old to create anything.
    pub(super) outdated_at: Option<Instant>,
}

/// What has become of everything in a plan.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) messages: Vec<(MessageRef, MessageOutcome)>,
    pub(super) groups: Vec<(GroupName, GroupOutcome)>,
    /// Messages whose groups Azure has refused, and may refuse again.
    pub(super) refused: Vec<MessageRef>,
    /// Groups whose tags now say since when they have been in their condition.
    pub(super) marked: Vec<GroupName>,
}

impl<G: ContainerGroups> Applier<'_, G> {
    /// Carries a plan out.
    pub(super) async fn apply(&self, plan: Plan) -> Applied {
        let Plan { creates, skips, deletes, keeps, markings, capacity: _, memory: _ } = plan;
        let creator = Creator::new(self, deletes.len());
        let created = side_by_side(self.workers, creates.into_iter().map(|create| creator.create(create))).await;

        self.last_words.retain(&deletes);
        let deleter = Deleter::new(self);
        let gone = side_by_side(self.workers, deletes.into_iter().map(|delete| deleter.delete(delete))).await;

        let mut marked = Vec::new();
        for marking in markings {
            marked.extend(self.mark(marking).await);
        }

        let skipped = skips.into_iter().map(|(message, skip)| (message, skipped(skip)));
        let kept = keeps.into_iter().map(|(group, keep)| (group, kept(keep)));
        Applied {
            messages: created.into_iter().chain(skipped).collect(),
            groups: gone.into_iter().chain(kept).collect(),
            refused: creator.into_refused(),
            marked,
        }
    }
}

/// The outcome of a message that the plan gives no group.
pub(super) fn skipped(skip: Skip) -> MessageOutcome {
    match skip {
        Skip::Running(group) => MessageOutcome::Running { group },
        Skip::Finished(group) => MessageOutcome::Finished { group },
        Skip::BackingOff { attempt, until, group } => MessageOutcome::BackingOff { attempt, until, group },
        Skip::Parked { attempts, group } => MessageOutcome::Parked { attempts, group },
        Skip::HeldByBreaker { until } => MessageOutcome::HeldByBreaker { until },
        Skip::Refused { until } => MessageOutcome::Refused { until },
        Skip::WaitingForSpare { group, until } => MessageOutcome::WaitingSpare { group, until },
        Skip::Duplicate => MessageOutcome::Duplicate,
        Skip::Deferred => MessageOutcome::Deferred,
        Skip::Scheduled => MessageOutcome::Scheduled,
        Skip::Expired => MessageOutcome::Expired,
        Skip::Invalid(reason) => MessageOutcome::Invalid { reason: reason.to_string() },
        Skip::WaitingForSlot => MessageOutcome::WaitingCapacity,
    }
}

/// The outcome of a group that the plan lets stay.
pub(super) fn kept(keep: Keep) -> GroupOutcome {
    match keep {
        Keep::Active => GroupOutcome::Active,
        Keep::Unread(error) => GroupOutcome::Unread { reason: error.to_string() },
        Keep::Kept => GroupOutcome::Kept,
        Keep::SubscriptionUnread => GroupOutcome::SubscriptionUnread,
        Keep::MessageUnknown => GroupOutcome::MessageUnknown,
        Keep::Record { attempt, until } => GroupOutcome::Record { attempt, until },
        Keep::Witness => GroupOutcome::Witness,
    }
}
