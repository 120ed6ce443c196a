//! Reads what is there: groups, subscriptions and messages, side by side.
//!
//! What cannot be read is recorded as unknown, and unknown is never taken for empty.

mod groups;
mod look_up;
mod messages;
mod paging;
mod topic;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::future::join;
use tokio::sync::watch;

use super::PassFailure;
use super::apply::AskedFor;
use crate::clock::Clock;
use crate::plan::{Memory, ObservedGroup, Policy, Reading, Snapshot};
use crate::services::{ContainerGroups, Messages, Services, Subscriptions};
use crate::settings::ProcessingSettings;
use messages::Reader;

/// What others have found out, once they have.
type Announced<T> = watch::Receiver<Option<Arc<T>>>;

#[derive(Clone, Copy)]
pub(super) struct Observer<'a> {
    pub(super) settings: &'a ProcessingSettings,
    pub(super) clock: &'a Clock,
    /// Whether a message has shown that the topic is partitioned, in this pass or an earlier one.
    pub(super) has_seen_partitions: &'a AtomicBool,
}

impl Observer<'_> {
    /// Reads everything that a plan needs.
    pub(super) async fn observe<G: ContainerGroups, S: Subscriptions, M: Messages>(
        self,
        services: &Services<G, S, M>,
        policy: &Policy,
        memory: &Memory,
        asked_for: Vec<AskedFor>,
    ) -> Result<Snapshot, PassFailure> {
        let clock = self.clock;
        let (announce_listed, listed) = watch::channel(None);
        let (announce_read, read) = watch::channel(None);
        let groups = async move {
            let announce = |announce: watch::Sender<_>, groups: &[ObservedGroup]| {
                announce.send_replace(Some(Arc::new(Reading::of(groups, memory, policy, clock.now()))));
            };
            let listed = groups::list(&services.groups).await?;
            announce(announce_listed, &listed);
            let read = groups::read(&services.groups, listed, asked_for, clock).await;
            announce(announce_read, &read);
            Ok(read)
            // If the list fails, the end of the channels says so to those who wait.
        };
        let reader = Reader { observer: self, listed, read };
        let (groups, messages) = join(groups, reader.read_all(&services.subscriptions, &services.messages)).await;
        let groups = groups.map_err(PassFailure::GroupsNotListed)?;
        let (topic, subscriptions) = messages?;
        let (skipped_subscriptions, unserved_subscriptions) = (topic.skipped.clone(), topic.unserved.clone());
        Ok(Snapshot { groups, subscriptions, skipped_subscriptions, unserved_subscriptions })
    }
}

/// What is announced, unless it never will be.
async fn announced<T>(announced: &Announced<T>) -> Option<Arc<T>> {
    announced.clone().wait_for(Option::is_some).await.ok()?.clone()
}

/// Puts others to the front in each pass, a minute after the last, when there are more than one pass can do.
fn begin_elsewhere<T>(items: &mut [T], per_pass: usize, clock: &Clock) {
    if items.len() > per_pass {
        let minutes = usize::try_from(clock.now().unix_timestamp() / 60).unwrap_or_default();
        items.rotate_left(minutes.wrapping_mul(per_pass) % items.len());
    }
}
