//! All container groups, and what is remembered of those that are gone.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::async_operation::{AsyncOperation, AsyncStatus};
use super::group::{Content, Group, Phase};
use super::snapshot::GroupSnapshot;
use super::worker::Exit;
use super::{AcceptedPut, LogSink, Rule};
use crate::clock;

/// A resource group and a name, both in lower case.
pub(super) type Key = (String, String);

pub(super) fn key(resource_group: &str, name: &str) -> Key {
    (resource_group.to_lowercase(), name.to_lowercase())
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub groups: BTreeMap<Key, Group>,
    pub rules: Vec<Rule>,
    pub accepted: Vec<AcceptedPut>,
    pub operations: HashMap<String, AsyncOperation>,
    /// Runs by name in lower case; names outlive their groups.
    runs: HashMap<String, u32>,
    lives: u64,
}

impl State {
    pub fn snapshots(&self) -> Vec<GroupSnapshot> {
        self.groups.values().map(|group| self.snapshot(group)).collect()
    }

    pub fn snapshot(&self, group: &Group) -> GroupSnapshot {
        GroupSnapshot::of(group, self.runs(&group.name))
    }

    pub fn runs(&self, name: &str) -> u32 {
        self.runs.get(&name.to_lowercase()).copied().unwrap_or_default()
    }

    pub fn count_run(&mut self, name: &str) {
        *self.runs.entry(name.to_lowercase()).or_default() += 1;
    }

    pub fn next_life(&mut self) -> u64 {
        self.lives += 1;
        self.lives
    }

    /// The group, if it still lives the life it lived then.
    pub fn living(&mut self, key: &Key, life: u64) -> Option<&mut Group> {
        self.groups.get_mut(key).filter(|group| group.life == life)
    }

    pub fn plant(&mut self, json: Value) {
        let name = json["name"].as_str().expect("a planted group has a name").to_owned();
        let id = json["id"].as_str().expect("a planted group has an id").to_owned();
        let resource_group = id.split('/').nth(4).expect("a planted group's id names its resource group");
        let key = key(resource_group, &name);
        let life = self.next_life();
        let group = Group {
            id,
            name,
            content: Content::Planted(json),
            phase: Phase::Planted,
            events: Vec::new(),
            log: LogSink::default(),
            life,
            task: None,
            operation: String::new(),
        };
        if let Some(replaced) = self.groups.insert(key, group) {
            replaced.end_run();
        }
    }

    pub fn finish(&mut self, name: &str, exit: Exit) -> bool {
        let life = self.next_life();
        let mut groups = self.groups.values_mut();
        let Some(group) = groups.find(|group| group.name.eq_ignore_ascii_case(name)) else { return false };
        let finished = clock::now();
        let started = match group.phase {
            Phase::Running { started } | Phase::Terminated { started, .. } => started,
            Phase::Planted => return false,
            _ => finished,
        };
        group.end_run();
        group.life = life;
        group.phase = Phase::Terminated { started, finished, exit };
        if let Some(operation) = self.operations.get_mut(&group.operation) {
            operation.status = AsyncStatus::Succeeded;
        }
        true
    }

    pub fn stop(&mut self) {
        self.groups.values().for_each(Group::end_run);
    }
}

impl Group {
    pub fn end_run(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
