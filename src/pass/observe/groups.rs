//! Lists the container groups, and reads the states of those whose turn it is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::patience::Patience;
use super::reads::Turns;
use super::{Observer, PassTime, begin_elsewhere};
use crate::container_group::{ContainerGroup, GroupName, Ownership};
use crate::pass::apply::AskedFor;
use crate::pass::side_by_side;
use crate::plan::{Look, ObservedGroup};
use crate::services::{ArmError, ContainerGroups};

/// How many groups are read at once. At some 300 ms each that makes 27 a second, which is about what Azure allows.
const READERS: usize = 8;

/// How long reading one group may take. Azure answers in well under a second, and a pass creates nothing from information that
/// is older than three quarters of a back-off, so one slow group must not hold up everything.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// About as many groups as the first pass of a process can read.
const LOOKS_OF_A_FIRST_PASS: usize = 500;

/// The part of a pass that reading groups may take.
const SHARE: u32 = 3;

/// The groups as the list shows them, without the states of their containers. The answer also sets the time of the pass.
pub(super) async fn list<G: ContainerGroups>(groups: &G, time: &PassTime<'_>) -> Result<Vec<ObservedGroup>, ArmError> {
    let listed = groups.list().await?;
    if let Some(now) = listed.time {
        time.is(now);
    }
    // A list may name a group twice, on two pages for instance (azure-cli#25214).
    let mut names = HashSet::new();
    let once = listed.groups.into_iter().filter(|group| names.insert(group.name.clone()));
    Ok(once.map(|group| ObservedGroup { group: Arc::new(group), look: Look::Done }).collect())
}

/// The groups with their states. The list may lag or have gaps, so groups that were requested lately, or that the last pass
/// saw, are read even if it does not show them.
pub(super) async fn read<G: ContainerGroups>(
    groups: &G,
    mut listed: Vec<ObservedGroup>,
    asked_for: Vec<AskedFor>,
    seen_before: impl Iterator<Item = AskedFor>,
    observer: Observer<'_>,
) -> Vec<ObservedGroup> {
    let patience = Patience::new(&observer.kept.hanging_groups);
    let mut names: HashSet<_> = listed.iter().map(|observed| observed.group.name.clone()).collect();
    let just_asked_for: HashSet<_> = asked_for.iter().map(|asked| asked.group.name.clone()).collect();
    let unlisted: Vec<_> =
        asked_for.into_iter().chain(seen_before).filter(|asked| names.insert(asked.group.name.clone())).collect();
    let longest = observer.settings.pass_deadline.min(observer.settings.retry_backoff_or_never()) / SHARE;
    // If each process makes only one pass, none knows which groups the others have read.
    begin_elsewhere(&mut listed, LOOKS_OF_A_FIRST_PASS, observer.turn);
    let Turns { to_look_at, others } = observer.kept.reads.choose(listed, &just_asked_for, longest);

    let unlisted = unlisted.into_iter().map(|asked| read_unlisted(groups, &patience, asked));
    let mut read: Vec<_> = side_by_side(READERS, unlisted).await.into_iter().flatten().collect();
    let looks = to_look_at.into_iter().map(|observed| read_listed(groups, &patience, observed));
    read.extend(side_by_side(READERS, looks).await);
    observer.kept.reads.remember(&read);
    read.extend(others);
    read
}

async fn read_listed<G: ContainerGroups>(
    groups: &G,
    patience: &Patience<'_, GroupName>,
    listed: ObservedGroup,
) -> ObservedGroup {
    let read = read_group(groups, patience, listed.group.clone()).await;
    // The list just showed a group that is gone now, and it may not show the group that follows it yet.
    read.unwrap_or(ObservedGroup { look: Look::Failed(ArmError::JustGone), ..listed })
}

async fn read_unlisted<G: ContainerGroups>(
    groups: &G,
    patience: &Patience<'_, GroupName>,
    asked: AskedFor,
) -> Option<ObservedGroup> {
    let group = asked.group;
    let read = read_group(groups, patience, group.clone()).await;
    let not_yet = || ObservedGroup { group, look: Look::Failed(ArmError::unavailable("it may still be created")) };
    read.or_else(|| asked.may_appear.then(not_yet))
}

/// A group with its containers' states, or nothing if it is gone.
async fn read_group<G: ContainerGroups>(
    groups: &G,
    patience: &Patience<'_, GroupName>,
    known: Arc<ContainerGroup>,
) -> Option<ObservedGroup> {
    let limit = patience.limit(&known.name, READ_TIMEOUT);
    let answer = patience.wait(limit, groups.get(&known.name)).await;
    patience.ended(&known.name, answer.is_some());
    match answer.unwrap_or_else(|| Err(ArmError::unavailable("no answer came in time"))) {
        // A group whose tags name another owner no longer belongs to this scaler.
        Ok(group) => {
            let group = group.filter(|group| group.ownership != Ownership::Foreign);
            group.map(|group| ObservedGroup { group: Arc::new(group), look: Look::Done })
        }
        Err(error) => Some(ObservedGroup { group: known, look: Look::Failed(error) }),
    }
}
