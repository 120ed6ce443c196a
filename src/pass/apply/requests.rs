//! The groups that this process requested lately.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::container_group::{ContainerGroup, GroupName, GroupSpec, Ownership};
use crate::sync::Mutex;

/// How long a list may lag behind what Azure has accepted. Lists come from a cache that is seconds old. Five minutes are safe,
/// and cost a few more reads only for groups that are gone by then.
const MAX_LAG: Duration = Duration::from_mins(5);

/// How long after the scaler stopped waiting for an answer Azure may still carry out a request. Until then it holds its slot,
/// whatever a GET shows.
const MAX_LATE: Duration = Duration::from_secs(15);

/// Remembers which groups were requested, whether Azure answered or not.
#[derive(Debug, Default)]
pub(in crate::pass) struct Requests(Mutex<BTreeMap<GroupName, Request>>);

#[derive(Debug)]
struct Request {
    sent_at: Instant,
    /// When the scaler stopped waiting for an answer.
    given_up_at: Option<Instant>,
    group: Arc<ContainerGroup>,
}

/// A group that a list may not show, as it was requested, or as an earlier pass saw it.
#[derive(Clone, Debug)]
pub(in crate::pass) struct AskedFor {
    pub(in crate::pass) group: Arc<ContainerGroup>,
    /// Whether it may still appear, so that it counts although a GET does not find it.
    pub(in crate::pass) may_appear: bool,
}

impl AskedFor {
    pub(in crate::pass) fn seen_before(group: &Arc<ContainerGroup>) -> Self {
        Self { group: group.clone(), may_appear: false }
    }
}

impl Requests {
    /// Notes that a group is about to be requested, and returns it as it will look at first.
    pub(super) fn sent(&self, spec: &GroupSpec) -> Arc<ContainerGroup> {
        let group = Arc::new(ContainerGroup {
            name: spec.name.clone(),
            tags: spec.tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            provisioning_state: String::new(),
            containers: Vec::new(),
            size: None,
            init_containers: Vec::new(),
            ownership: Ownership::Tagged,
        });
        let request = Request { sent_at: Instant::now(), given_up_at: None, group: group.clone() };
        self.0.lock().insert(spec.name.clone(), request);
        group
    }

    /// Notes that the scaler stopped waiting for an answer, if the group was requested at all.
    pub(super) fn given_up(&self, name: &GroupName) {
        if let Some(request) = self.0.lock().get_mut(name) {
            request.given_up_at = Some(Instant::now());
        }
    }

    /// Notes that Azure has certainly refused the group.
    pub(super) fn refused(&self, name: &GroupName) {
        self.0.lock().remove(name);
    }

    pub(in crate::pass) fn recent(&self) -> Vec<AskedFor> {
        let mut requests = self.0.lock();
        requests.retain(|_, request| request.sent_at.elapsed() < MAX_LAG);
        let asked_for = |request: &Request| AskedFor {
            group: request.group.clone(),
            may_appear: request.given_up_at.is_some_and(|at| at.elapsed() < MAX_LATE),
        };
        requests.values().map(asked_for).collect()
    }
}
