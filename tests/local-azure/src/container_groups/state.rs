//! All container groups, and the last deleted ones.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::Value;

use super::async_operation::{AsyncOperation, AsyncStatus};
use super::companions::Companions;
use super::engine::Statuses;
use super::group::{Content, Group, Phase, planted_tags};
use super::refused::Transitioning;
use super::snapshot::{GoneGroup, GroupSnapshot};
use super::worker::Exit;
use super::{AcceptedPut, LogSink, Rule, TagPolicy};
use crate::clock;

/// How many deleted groups are kept: as many as people read on a page. Each may have a log of megabytes.
const MAX_GONE: usize = 50;

/// A resource group and a name, both in lower case.
pub(super) type Key = (String, String);

pub(super) fn key(resource_group: &str, name: &str) -> Key {
    (resource_group.to_lowercase(), name.to_lowercase())
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub groups: BTreeMap<Key, Group>,
    pub rules: Vec<Rule>,
    pub tag_policies: Vec<TagPolicy>,
    pub accepted: Vec<AcceptedPut>,
    /// The groups that were deleted last, oldest first.
    pub gone: VecDeque<GoneGroup>,
    pub operations: HashMap<String, AsyncOperation>,
    /// Runs by name in lower case; names outlive their groups.
    runs: HashMap<String, u32>,
    lives: u64,
}

impl State {
    pub(super) fn snapshots(&self) -> Vec<GroupSnapshot> {
        self.groups.values().map(|group| self.snapshot(group)).collect()
    }

    pub(super) fn snapshot(&self, group: &Group) -> GroupSnapshot {
        GroupSnapshot::of(group, self.runs(&group.name))
    }

    pub(super) fn remember(&mut self, group: &Group) {
        if self.gone.len() == MAX_GONE {
            self.gone.pop_front();
        }
        let gone = GoneGroup { group: self.snapshot(group), deleted: clock::now() };
        self.gone.push_back(gone);
    }

    pub(super) fn runs(&self, name: &str) -> u32 {
        self.runs.get(&name.to_lowercase()).copied().unwrap_or_default()
    }

    pub(super) fn count_run(&mut self, name: &str) {
        *self.runs.entry(name.to_lowercase()).or_default() += 1;
    }

    pub(super) fn next_life(&mut self) -> u64 {
        self.lives += 1;
        self.lives
    }

    /// The group, if it is still in the same run.
    pub(super) fn living(&mut self, key: &Key, life: u64) -> Option<&mut Group> {
        self.groups.get_mut(key).filter(|group| group.life == life)
    }

    pub(super) fn plant(&mut self, json: Value) {
        let name = json["name"].as_str().expect("a planted group has a name").to_owned();
        let id = json["id"].as_str().expect("a planted group has an id").to_owned();
        let resource_group = id.split('/').nth(4).expect("a planted group's id names its resource group");
        let key = key(resource_group, &name);
        let life = self.next_life();
        let group = Group {
            id,
            name,
            asked_tags: planted_tags(&json),
            content: Content::Planted(json),
            phase: Phase::Planted,
            provisioning_state: None,
            events: Vec::new(),
            log: LogSink::default(),
            companions: Companions::default(),
            statuses: Statuses::default(),
            created: clock::now(),
            life,
            task: None,
            operation: String::new(),
        };
        if let Some(replaced) = self.groups.insert(key, group) {
            replaced.end_run();
        }
    }

    /// The phase of a group, unless an operation on it is under way; nothing if there is no such group.
    pub(super) fn phase_at_rest(&self, key: &Key) -> Result<Option<Phase>, Transitioning> {
        match self.groups.get(key) {
            Some(group) if group.phase.is_transitioning() => Err(Transitioning { group: group.name.clone() }),
            group => Ok(group.map(|group| group.phase)),
        }
    }

    pub(super) fn finish_named(&mut self, name: &str, exit: Exit) -> bool {
        let named = |(key, group): (&Key, &Group)| group.name.eq_ignore_ascii_case(name).then(|| key.clone());
        self.groups.iter().find_map(named).is_some_and(|key| self.finish(&key, exit))
    }

    /// Ends a group's run now. False when there is no such group, or it is planted.
    pub(super) fn finish(&mut self, key: &Key, exit: Exit) -> bool {
        let life = self.next_life();
        let Some(group) = self.groups.get_mut(key) else { return false };
        let finished = clock::now();
        let started = match group.phase {
            Phase::Running { started } | Phase::Terminated { started, .. } => started,
            Phase::Planted => return false,
            _ => finished,
        };
        group.end_run();
        group.end_statuses(finished, exit);
        group.life = life;
        group.phase = Phase::Terminated { started, finished, exit };
        if let Some(operation) = self.operations.get_mut(&group.operation) {
            operation.status = AsyncStatus::Succeeded;
        }
        true
    }

    pub(super) fn stop(&mut self) {
        self.groups.values().for_each(Group::end_run);
    }
}

impl Group {
    pub(super) fn end_run(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
