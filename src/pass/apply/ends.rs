//! Logs the ends of groups that stay for now.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::timeout;

use super::Applier;
use crate::container_group::{ContainerGroup, Ownership, Phase};
use crate::pass::ended::{Summary, text};
use crate::pass::side_by_side;
use crate::plan::Delete;
use crate::services::ContainerGroups;

/// The process before this one has seen, and logged, what ended longer ago than this.
const SEEN_BEFORE: Duration = Duration::from_mins(2);

/// The most groups whose lines a pass reads because they have ended, besides those it deletes: a small part of the reads that
/// Azure allows. The next pass reads the others.
const MAX_ENDS: usize = 100;

/// The part of the remaining time that reading these lines may take; the rest is for deletes.
const SHARE: u32 = 4;

impl<G: ContainerGroups> Applier<'_, G> {
    /// Logs each end that is seen for the first time. The ends of groups that this pass deletes are logged with the delete.
    pub(super) async fn see_ends(&self, observed: &[Arc<ContainerGroup>], deletes: &[Delete]) {
        let now = self.time.now();
        let go: BTreeSet<_> = deletes.iter().map(|delete| &delete.group.name).collect();
        let has_ended = |group: &&Arc<ContainerGroup>| {
            matches!(group.phase(), Phase::Ended(_))
                && group.ownership != Ownership::Untagged
                && !self.log_capture.is_end_logged(group)
        };
        let ended: Vec<_> = observed.iter().filter(has_ended).collect();
        if self.log_capture.is_first_pass() {
            let is_old = |group: &&&Arc<ContainerGroup>| ended_before(group, now - SEEN_BEFORE);
            let stays = |group: &&&Arc<ContainerGroup>| !go.contains(&group.name);
            let old: Vec<_> = ended.iter().filter(is_old).filter(stays).copied().collect();
            for group in &old {
                self.log_capture.mark_as_logged(group);
            }
            log_old(&Summary::of(old.iter().map(|group| &***group), now));
        }
        let news =
            ended.into_iter().filter(|group| !go.contains(&group.name) && !self.log_capture.is_end_logged(group));
        let see = |group: &Arc<ContainerGroup>| {
            let group = Arc::clone(group);
            async move { self.log_capture.see(self.groups, &group, now).await }
        };
        // The next pass reads what this one had no time for; the deletes must not wait.
        let limit = self.deadline.remaining() / SHARE;
        _ = timeout(limit, side_by_side(self.workers, news.take(MAX_ENDS).map(see))).await;
    }
}

fn ended_before(group: &ContainerGroup, moment: OffsetDateTime) -> bool {
    matches!(group.phase(), Phase::Ended(ending) if ending.at.is_some_and(|at| at < moment))
}

fn log_old(old: &Summary) {
    let Summary { count, failed, since, cost } = old;
    if *count > 0 {
        tracing::info!(
            event = "records_found",
            count,
            failed,
            since = since.map(text),
            gb_seconds = cost.gb_seconds,
            vcpu_seconds = cost.vcpu_seconds,
            "container groups had ended before this process started"
        );
    }
}
