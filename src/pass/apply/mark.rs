//! Keeps in tags since when groups have been in a condition.

use std::collections::BTreeMap;

use time::format_description::well_known::Rfc3339;

use super::Applier;
use crate::container_group::GroupName;
use crate::error::Cause;
use crate::plan::{Mark, Marking};
use crate::services::{ArmError, ContainerGroups};

impl<G: ContainerGroups> Applier<'_, G> {
    /// Gives a group its only mark, and says which group now has it. What cannot be done is wanted again by the next pass.
    pub(super) async fn mark(&self, marking: Marking) -> Option<GroupName> {
        match self.deadline.limit(self.look_up_and_mark(&marking)).await? {
            Ok(()) => {
                tracing::debug!(group = %marking.group, mark = ?marking.mark, "marked a container group");
                Some(marking.group)
            }
            Err(error) => {
                tracing::warn!(group = %marking.group, %error, "the tags of a container group were not changed");
                None
            }
        }
    }

    /// All tags are replaced, so they are read right before.
    async fn look_up_and_mark(&self, Marking { group, mark }: &Marking) -> Result<(), ArmError> {
        let Some(fresh) = self.groups.get(group).await? else { return Ok(()) };
        let is_mark = |key: &str| Mark::ALL.iter().any(|mark| mark.tag().eq_ignore_ascii_case(key));
        let mut tags: BTreeMap<_, _> = fresh.tags.into_iter().filter(|(key, _)| !is_mark(key)).collect();
        if let Some((mark, since)) = mark {
            let since = since.format(&Rfc3339).map_err(|error| ArmError::unavailable(Cause::new(error)))?;
            tags.insert(mark.tag().to_owned(), since);
        }
        self.groups.tag(group, &tags).await
    }
}
