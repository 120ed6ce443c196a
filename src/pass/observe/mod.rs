//! Reads the groups, the subscriptions and the messages, at the same time.
//!
//! What cannot be read is unknown, and unknown never counts as empty.

mod groups;
mod look_up;
mod messages;
mod paging;
mod patience;
mod reads;
mod topic;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::future::join;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::PassFailure;
use super::apply::AskedFor;
use super::pass_time::PassTime;
use crate::container_group::GroupName;
use crate::message::SubscriptionName;
use crate::plan::{Memory, ObservedGroup, Policy, Reading, Snapshot};
use crate::services::{ContainerGroups, Messages, Services, Subscriptions};
use crate::settings::ProcessingSettings;
use crate::sync::Mutex;
use messages::Reader;
use patience::Hanging;
use reads::Reads;

/// What another task has found out, once it has.
type Announced<T> = watch::Receiver<Option<Arc<T>>>;

/// What is kept from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Whether a message has shown that the topic is partitioned. A topic stays so as long as it exists.
    has_seen_partitions: AtomicBool,
    hanging_subscriptions: Hanging<SubscriptionName>,
    hanging_groups: Hanging<GroupName>,
    reads: Reads,
    /// The last pass's.
    turn: Mutex<Option<usize>>,
}

impl Kept {
    /// The number of the next pass. The first of a process is numbered by the minute, so that processes that make one pass each
    /// take turns too.
    pub(super) fn next_turn(&self, now: OffsetDateTime) -> usize {
        let by_minute = || usize::try_from(now.unix_timestamp() / 60).unwrap_or_default();
        let mut last = self.turn.lock();
        let turn = last.map_or_else(by_minute, |turn| turn.wrapping_add(1));
        *last = Some(turn);
        turn
    }
}

#[derive(Clone, Copy)]
pub(super) struct Observer<'a> {
    pub(super) settings: &'a ProcessingSettings,
    pub(super) time: &'a PassTime<'a>,
    pub(super) kept: &'a Kept,
    /// The number of the pass.
    pub(super) turn: usize,
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
        let time = self.time;
        let (announce_listed, listed) = watch::channel(None);
        let (announce_read, read) = watch::channel(None);
        let groups = async move {
            let announce = |announce: watch::Sender<_>, groups: &[ObservedGroup]| {
                announce.send_replace(Some(Arc::new(Reading::of(groups, memory, policy, time.now()))));
            };
            let listed = groups::list(&services.groups, time).await?;
            announce(announce_listed, &listed);
            let seen_before = memory.last_groups().map(AskedFor::seen_before);
            let read = groups::read(&services.groups, listed, asked_for, seen_before, self).await;
            announce(announce_read, &read);
            Ok(read)
            // If the list fails, the channels close, and the tasks that wait for it go on without.
        };
        let reader = Reader { observer: self, listed, read };
        let (groups, messages) = join(groups, reader.read_all(&services.subscriptions, &services.messages)).await;
        let groups = groups.map_err(PassFailure::GroupsNotListed)?;
        let (topic, subscriptions) = messages?;
        let (skipped_subscriptions, unserved_subscriptions) = (topic.skipped.clone(), topic.unserved.clone());
        let time_is_doubtful = time.is_doubtful();
        Ok(Snapshot { groups, subscriptions, skipped_subscriptions, unserved_subscriptions, time_is_doubtful })
    }
}

/// What is announced, or nothing if it never will be.
async fn announced<T>(announced: &Announced<T>) -> Option<Arc<T>> {
    announced.clone().wait_for(Option::is_some).await.ok()?.clone()
}

/// If there are more items than a pass can do, puts those to the front whose turn it is.
fn begin_elsewhere<T>(items: &mut [T], per_pass: usize, turn: usize) {
    if items.len() > per_pass {
        items.rotate_left(turn.wrapping_mul(per_pass) % items.len());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::test_support::NOW;

    #[test]
    fn passes_take_turns_however_far_apart_they_are() {
        for seconds_apart in [15, 60, 300] {
            let kept = Kept::default();
            let mut done = BTreeSet::new();
            for pass in 0..3 {
                let turn = kept.next_turn(NOW + time::Duration::seconds(seconds_apart * pass));
                let mut items: Vec<_> = (0..250).collect();
                begin_elsewhere(&mut items, 100, turn);
                done.extend(items[..100].iter().copied());
            }
            assert_eq!(done.len(), 250, "{seconds_apart} s apart");
        }
    }
}
