//! The groups that were asked for lately.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::container_group::{ContainerGroup, GroupName, GroupSpec};
use crate::sync::Mutex;

/// How long a list may lag behind what Azure has accepted: lists come from a cache that is seconds old, and five minutes
/// cost a few reads only for groups that are gone again by then.
const MAX_LAG: Duration = Duration::from_mins(5);

/// Remembers which groups were asked for, whether an answer came or not.
#[derive(Debug, Default)]
pub(in crate::pass) struct Requests(Mutex<BTreeMap<GroupName, (Instant, ContainerGroup)>>);

impl Requests {
    /// A group is about to be asked for.
    pub(super) fn add(&self, spec: &GroupSpec) {
        let group = ContainerGroup {
            name: spec.name.clone(),
            tags: spec.tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            provisioning_state: String::new(),
            containers: Vec::new(),
        };
        let mut requests = self.0.lock();
        requests.insert(group.name.clone(), (Instant::now(), group));
    }

    /// The groups that a list may not show yet, as far as they are known from what was asked for.
    pub(in crate::pass) fn recent(&self) -> Vec<ContainerGroup> {
        let mut requests = self.0.lock();
        requests.retain(|_, (at, _)| at.elapsed() < MAX_LAG);
        requests.values().map(|(_, group)| group.clone()).collect()
    }
}
