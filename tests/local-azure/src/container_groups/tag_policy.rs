//! What governance does to the tags of container groups: policies that change the tags in a PUT or PATCH, and remediation of
//! existing groups.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::spawn;
use tokio::time::sleep;

use super::ContainerGroups;
use super::behaviour::GroupSelector;
use super::group::Group;
use super::state::{Key, State};
use crate::millis;
use crate::occurrence::Occurrence;

/// Tags by name.
pub(super) type Tags = BTreeMap<String, String>;

/// A change of a group's tags. Like Azure, it ignores the case of tag names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TagChange {
    /// Sets the tag to this value, whether it existed or not.
    Set {
        /// Its name.
        tag: String,
        /// Its value.
        value: String,
    },
    /// Removes the tag.
    Drop(String),
    /// Removes all tags.
    DropAll,
    /// Renames the tag, perhaps only in its case.
    Rename {
        /// Its name.
        tag: String,
        /// Its new name.
        to: String,
    },
}

impl TagChange {
    pub(super) fn apply(&self, tags: &mut Tags) {
        let named = |tags: &Tags, name: &str| tags.keys().find(|have| have.eq_ignore_ascii_case(name)).cloned();
        match self {
            Self::Set { tag, value } => {
                let name = named(tags, tag).unwrap_or_else(|| tag.clone());
                tags.insert(name, value.clone());
            }
            Self::Drop(tag) => tags.retain(|have, _| !have.eq_ignore_ascii_case(tag)),
            Self::DropAll => tags.clear(),
            Self::Rename { tag, to } => {
                if let Some(value) = named(tags, tag).and_then(|name| tags.remove(&name)) {
                    tags.insert(to.clone(), value);
                }
            }
        }
    }
}

/// A [`TagChange`] to the tags in every PUT and PATCH of a group.
#[derive(Clone, Debug, Serialize)]
pub struct TagPolicy {
    change: TagChange,
    groups: GroupSelector,
    #[serde(rename = "after_ms", with = "millis")]
    after: Duration,
    #[serde(flatten)]
    occurrence: Occurrence,
}

impl TagPolicy {
    /// For all groups, before the request is carried out.
    pub fn new(change: TagChange) -> Self {
        Self { change, groups: GroupSelector::default(), after: Duration::ZERO, occurrence: Occurrence::default() }
    }

    /// Only for groups that their requests select.
    #[must_use]
    pub fn of(self, groups: GroupSelector) -> Self {
        Self { groups, ..self }
    }

    /// Not immediately, but this long after the request.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    /// Only this many times.
    #[must_use]
    pub fn at_most(self, times: u32) -> Self {
        Self { occurrence: self.occurrence.times(times), ..self }
    }

    pub(crate) fn occurring(self, occurrence: Occurrence) -> Self {
        Self { occurrence, ..self }
    }
}

impl ContainerGroups {
    /// Adds a policy.
    pub fn enforce(&self, policy: TagPolicy) {
        self.state().tag_policies.push(policy);
    }

    /// The policies, each with how often it will still apply.
    pub fn tag_policies(&self) -> Vec<TagPolicy> {
        self.state().tag_policies.clone()
    }

    /// Removes all policies.
    pub fn clear_tag_policies(&self) {
        self.state().tag_policies.clear();
    }

    /// Changes the tags of the selected existing groups once, and returns how many there are.
    pub fn remediate(&self, change: &TagChange, groups: &GroupSelector) -> usize {
        let mut state = self.state();
        let selected = state.groups.values_mut().filter(|group| groups.selects(&group.name, &group.asked_tags));
        let changed = selected.map(|group| group.change_tags(change)).count();
        drop(state);
        self.changed();
        changed
    }

    /// Applies the policies to the tags in a request.
    pub(super) fn govern(&self, state: &mut State, key: &Key, asked: &Tags, tags: &mut Tags) {
        for policy in &mut state.tag_policies {
            if !policy.groups.selects(&key.1, asked) || !policy.occurrence.happens() {
                continue;
            }
            let TagPolicy { change, after, .. } = policy.clone();
            if after.is_zero() {
                change.apply(tags);
                continue;
            }
            let (groups, key) = (self.clone(), key.clone());
            spawn(async move {
                sleep(after).await;
                if let Some(group) = groups.state().groups.get_mut(&key) {
                    group.change_tags(&change);
                }
                groups.changed();
            });
        }
    }
}

impl Group {
    fn change_tags(&mut self, change: &TagChange) {
        let mut tags = self.tags();
        change.apply(&mut tags);
        self.set_tags(tags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_whatever_its_case_and_keeps_it_unless_it_is_renamed() {
        let set = TagChange::Set { tag: "MANAGED_BY".to_owned(), value: "finance".to_owned() };
        let rename = TagChange::Rename { tag: "managed_by".to_owned(), to: "Managed_By".to_owned() };
        let mut tags = Tags::from([("managed_by".to_owned(), "worker".to_owned())]);
        set.apply(&mut tags);
        assert_eq!(tags, Tags::from([("managed_by".to_owned(), "finance".to_owned())]));
        rename.apply(&mut tags);
        assert_eq!(tags, Tags::from([("Managed_By".to_owned(), "finance".to_owned())]));
        TagChange::Drop("managed_BY".to_owned()).apply(&mut tags);
        assert_eq!(tags, Tags::new());
    }
}
