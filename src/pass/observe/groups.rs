//! Lists the container groups, and reads those one by one whose state a list does not show.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::begin_elsewhere;
use crate::clock::Clock;
use crate::container_group::{ContainerGroup, tag};
use crate::pass::side_by_side;
use crate::plan::ObservedGroup;
use crate::services::{ArmError, ContainerGroups};

/// Groups that are read one by one at a time. At some 100 ms each they are 80 a second.
const READERS: usize = 8;

/// The most that reading one group takes. Azure answers in well under a second; nothing is created on the strength of
/// what is older than three quarters of a back-off, so one group must not hold up everything for that long.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads that Azure lets an identity make at once, and has saved up again long before the next pass. It may refuse those
/// that come after, so each pass begins with others.
const READS_SAVED_UP: usize = 250;

/// The groups as the list shows them, without the states of their containers.
pub(super) async fn list<G: ContainerGroups>(groups: &G) -> Result<Vec<ObservedGroup>, ArmError> {
    let listed = groups.list().await?;
    Ok(listed.into_iter().map(|group| ObservedGroup { group: Arc::new(group), unread: None }).collect())
}

/// The list shows no container's state, so every group that may have ended is read on its own. The list may also lag
/// behind, so the groups that were asked for lately are read even if it does not show them.
pub(super) async fn read<G: ContainerGroups>(
    groups: &G,
    mut listed: Vec<ObservedGroup>,
    asked_for: Vec<ContainerGroup>,
    clock: &Clock,
) -> Vec<ObservedGroup> {
    begin_elsewhere(&mut listed, READS_SAVED_UP, clock);
    let names: HashSet<_> = listed.iter().map(|observed| observed.group.name.clone()).collect();
    let unlisted = asked_for.into_iter().filter(|group| !names.contains(&group.name));
    let listed = listed.into_iter().map(|observed| async {
        if !observed.group.may_have_ended() {
            return observed;
        }
        // A group that is gone now had been there a moment ago, and the list may not show yet what follows it.
        let read = read_group(groups, observed.group.clone()).await;
        read.unwrap_or_else(|| ObservedGroup { unread: Some(ArmError::JustGone), ..observed })
    });
    let mut read = side_by_side(READERS, listed).await;
    let unlisted = unlisted.map(|group| read_group(groups, Arc::new(group)));
    read.extend(side_by_side(READERS, unlisted).await.into_iter().flatten());
    read
}

/// A group with its containers' states, or nothing if it is gone.
async fn read_group<G: ContainerGroups>(groups: &G, known: Arc<ContainerGroup>) -> Option<ObservedGroup> {
    let late = || ArmError::unavailable(format!("no answer within {} s", READ_TIMEOUT.as_secs()));
    match timeout(READ_TIMEOUT, groups.get(&known.name)).await.unwrap_or_else(|_| Err(late())) {
        // One that has another manager now is none of ours any more.
        Ok(group) => {
            let group = group.filter(|group| group.tag(tag::MANAGED_BY) == known.tag(tag::MANAGED_BY));
            group.map(|group| ObservedGroup { group: Arc::new(group), unread: None })
        }
        Err(error) => Some(ObservedGroup { group: known, unread: Some(error) }),
    }
}
