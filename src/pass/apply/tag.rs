//! Writes to tags since when groups have been in a condition.

use std::collections::BTreeMap;

use time::format_description::well_known::Rfc3339;

use super::Applier;
use crate::container_group::GroupName;
use crate::error::Cause;
use crate::plan::{Condition, TagChange};
use crate::services::{ArmError, ContainerGroups};

/// The result of a change of tags.
pub(super) enum TagsChanged {
    Done(GroupName),
    Refused(GroupName),
    NotInTime,
}

impl<G: ContainerGroups> Applier<'_, G> {
    /// Makes a group's tags name its one condition. If that fails, the next pass plans it again.
    pub(super) async fn change_tags(&self, change: TagChange) -> TagsChanged {
        match self.deadline.limit(self.look_up_and_tag(&change)).await {
            Some(Ok(())) => {
                tracing::debug!(group = %change.group, condition = ?change.condition, "changed the tags of a container group");
                TagsChanged::Done(change.group)
            }
            Some(Err(error)) => {
                tracing::warn!(event = "tags_unchanged", group = %change.group, %error, "the tags of a container group were not changed");
                TagsChanged::Refused(change.group)
            }
            None => TagsChanged::NotInTime,
        }
    }

    /// Reads the tags right before the change, because it replaces all of them.
    async fn look_up_and_tag(&self, TagChange { group, condition }: &TagChange) -> Result<(), ArmError> {
        let Some(fresh) = self.groups.get(group).await? else { return Ok(()) };
        let dates = |key: &str| Condition::ALL.iter().any(|condition| condition.tag().eq_ignore_ascii_case(key));
        let mut tags: BTreeMap<_, _> = fresh.tags.into_iter().filter(|(key, _)| !dates(key)).collect();
        if let Some((condition, since)) = condition {
            let since = since.format(&Rfc3339).map_err(|error| ArmError::unavailable(Cause::new(error)))?;
            tags.insert(condition.tag().to_owned(), since);
        }
        self.groups.tag(group, &tags).await
    }
}
