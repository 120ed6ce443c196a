//! Lists the container groups, and reads those one by one whose state a list does not show.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{PassTime, begin_elsewhere};
use crate::container_group::{ContainerGroup, Ownership};
use crate::pass::apply::AskedFor;
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

/// The groups as the list shows them, without the states of their containers. It also says what time it is.
pub(super) async fn list<G: ContainerGroups>(groups: &G, time: &PassTime<'_>) -> Result<Vec<ObservedGroup>, ArmError> {
    let listed = groups.list().await?;
    if let Some(now) = listed.time {
        time.is(now);
    }
    // A list may name a group twice, on two pages for instance (azure-cli#25214).
    let mut names = HashSet::new();
    let once = listed.groups.into_iter().filter(|group| names.insert(group.name.clone()));
    Ok(once.map(|group| ObservedGroup { group: Arc::new(group), unread: None }).collect())
}

/// The list shows no container's state, so every group is read on its own, those last that are still being provisioned. The
/// list may also lag behind or have gaps, so the groups that were asked for lately, or seen before, are read even if it does
/// not show them.
pub(super) async fn read<G: ContainerGroups>(
    groups: &G,
    mut listed: Vec<ObservedGroup>,
    unlisted: impl Iterator<Item = AskedFor>,
    time: &PassTime<'_>,
) -> Vec<ObservedGroup> {
    begin_elsewhere(&mut listed, READS_SAVED_UP, time);
    let mut names: HashSet<_> = listed.iter().map(|observed| observed.group.name.clone()).collect();
    let unlisted: Vec<_> = unlisted.filter(|asked| names.insert(asked.group.name.clone())).collect();
    let (starting, others): (Vec<_>, Vec<_>) =
        listed.into_iter().partition(|observed| observed.group.is_being_provisioned());
    let reads_left = READS_SAVED_UP.saturating_sub(others.len() + unlisted.len());

    let mut read = side_by_side(READERS, others.into_iter().map(|observed| read_listed(groups, observed))).await;
    let unlisted = unlisted.into_iter().map(|asked| read_unlisted(groups, asked));
    read.extend(side_by_side(READERS, unlisted).await.into_iter().flatten());
    // What they do not show yet can wait, but for a start that fails.
    let mut starting = starting.into_iter();
    let looked_into = starting.by_ref().take(reads_left).map(|observed| read_listed(groups, observed));
    read.extend(side_by_side(READERS, looked_into).await);
    read.extend(starting);
    read
}

async fn read_listed<G: ContainerGroups>(groups: &G, listed: ObservedGroup) -> ObservedGroup {
    let read = read_group(groups, listed.group.clone()).await;
    // A group that is gone now had been there a moment ago, and the list may not show yet what follows it.
    read.unwrap_or(ObservedGroup { unread: Some(ArmError::JustGone), ..listed })
}

async fn read_unlisted<G: ContainerGroups>(groups: &G, asked: AskedFor) -> Option<ObservedGroup> {
    let group = asked.group;
    let read = read_group(groups, group.clone()).await;
    let not_yet = || ObservedGroup { group, unread: Some(ArmError::unavailable("it may yet be created")) };
    read.or_else(|| asked.may_appear.then(not_yet))
}

/// A group with its containers' states, or nothing if it is gone.
async fn read_group<G: ContainerGroups>(groups: &G, known: Arc<ContainerGroup>) -> Option<ObservedGroup> {
    let late = || ArmError::unavailable(format!("no answer within {} s", READ_TIMEOUT.as_secs()));
    match timeout(READ_TIMEOUT, groups.get(&known.name)).await.unwrap_or_else(|_| Err(late())) {
        // One that has another owner now is none of ours any more.
        Ok(group) => {
            let group = group.filter(|group| group.ownership != Ownership::Foreign);
            group.map(|group| ObservedGroup { group: Arc::new(group), unread: None })
        }
        Err(error) => Some(ObservedGroup { group: known, unread: Some(error) }),
    }
}
