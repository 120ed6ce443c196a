//! Carries out a plan: creates, then deletes, then changes tags.
//!
//! * A group is created if and only if
//!   * a look-up at most 5 s earlier did not find it, but found the record of the attempt before it, if there was one;
//!   * the deadline has not passed, and what the plan was made from is not outdated;
//!   * Azure did not throttle or say that its budget is low or that it has no room, for this size or at all.
//! * A group is deleted if and only if
//!   * its last log lines are logged or lost (see `log_capture`);
//!   * a look-up at most 5 s earlier (right before, if attempts are not counted) found it as it was when the pass decided to
//!     delete it;
//!   * the deadline has not passed, and Azure did not throttle.

mod budget;
mod create;
mod delete;
mod ends;
mod failures;
mod requests;
mod tag;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

pub(super) use budget::Budget;
pub use budget::Limits;
use create::{Created, Creator};
use delete::Deleter;
pub(super) use requests::{AskedFor, Requests};
use tag::TagsChanged;

use super::log_capture::LogCapture;
use super::pass_time::PassTime;
use super::side_by_side;
use crate::container_group::{ContainerGroup, GroupName};
use crate::deadline::Deadline;
use crate::message::MessageAddress;
use crate::plan::{FailureCause, GroupOutcome, MessageOutcome, Plan};
use crate::services::ContainerGroups;

/// How old a look-up may be when its PUT or DELETE is sent. It is a little more than these take, so that a look-up made during
/// one is still valid for the next, and far less than another process needs for a whole attempt.
const MAX_LOOK_UP_AGE: Duration = Duration::from_secs(5);

/// Carries out plans.
pub(super) struct Applier<'a, G> {
    pub(super) groups: &'a G,
    /// The most creates, and then the most deletes, that run at once.
    pub(super) workers: usize,
    pub(super) time: &'a PassTime<'a>,
    pub(super) log_capture: &'a LogCapture,
    pub(super) budget: &'a Budget,
    pub(super) requests: &'a Requests,
    pub(super) deadline: &'a Deadline,
    /// When the plan becomes too old to create anything.
    pub(super) outdated_at: Option<Instant>,
    /// Whether a message's next group has the name of the last one, because attempts are not counted.
    pub(super) reuses_names: bool,
}

/// How long the steps of a pass took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Steps {
    pub observe_ms: u64,
    pub plan_ms: u64,
    pub create_ms: u64,
    /// Including the time to log the ends of groups.
    pub delete_ms: u64,
}

/// The outcomes of everything in a plan.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) messages: Vec<(MessageAddress, MessageOutcome)>,
    pub(super) groups: Vec<(GroupName, GroupOutcome)>,
    /// Messages whose groups were created.
    pub(super) created: Vec<(MessageAddress, Arc<ContainerGroup>)>,
    /// Messages whose groups could not be created.
    pub(super) create_failures: Vec<(MessageAddress, FailureCause)>,
    /// Whether the tags of new groups come back changed, if an answer shows it.
    pub(super) tags_are_rewritten: Option<bool>,
    /// Groups whose tags now date their condition.
    pub(super) tagged: Vec<GroupName>,
    /// Groups whose tags Azure refused to change.
    pub(super) tags_refused: Vec<GroupName>,
    pub(super) limits: Limits,
    pub(super) steps: Steps,
}

impl<G: ContainerGroups> Applier<'_, G> {
    /// Carries out a plan that was made from these groups.
    pub(super) async fn apply(&self, plan: Plan, observed: &[Arc<ContainerGroup>]) -> Applied {
        let start = Instant::now();
        let Plan { creates, reserves, mut messages, deletes, mut groups, tag_changes, .. } = plan;
        let creator = Creator::new(self, deletes.len(), reserves);
        messages.extend(creator.create_all(creates).await);
        let Created { unused_reserves, failed, messages: created, tags_are_rewritten } = creator.into_created();
        messages.extend(unused_reserves.into_iter().map(|create| (create.message, MessageOutcome::WaitingCapacity)));

        let created_at = Instant::now();
        let are_there = observed.iter().map(|group| &group.name).collect();
        self.log_capture.retain(&deletes, &are_there);
        self.see_ends(observed, &deletes).await;
        groups.extend(Deleter::new(self).delete_all(deletes).await);

        let steps = Steps {
            create_ms: millis(created_at - start),
            delete_ms: millis(created_at.elapsed()),
            ..Steps::default()
        };
        let mut applied = Applied {
            messages,
            groups,
            created,
            create_failures: failed,
            tags_are_rewritten,
            limits: self.budget.take_met(),
            steps,
            ..Applied::default()
        };
        let changes = tag_changes.into_iter().map(|change| self.change_tags(change));
        for changed in side_by_side(self.workers, changes).await {
            match changed {
                TagsChanged::Done(group) => applied.tagged.push(group),
                TagsChanged::Refused(group) => applied.tags_refused.push(group),
                TagsChanged::NotInTime => {}
            }
        }
        applied
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
