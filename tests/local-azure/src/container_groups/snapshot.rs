//! A container group as tests see it.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;

use super::group::{Content, Group, Phase, View};
use super::spec::EnvironmentVariable;

/// A container group at one moment, secrets included.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSnapshot {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The tags of the last PUT, before any policy changed them.
    pub asked_tags: BTreeMap<String, String>,
    /// Its memory, in GB.
    pub memory_gb: f64,
    /// Its CPU, in cores.
    pub cpu: f64,
    /// The image of its worker.
    pub image: String,
    /// The variables of its worker.
    pub environment: BTreeMap<String, EnvironmentVariable>,
    /// When it was created or last deployed.
    pub created: OffsetDateTime,
    /// Its phase.
    pub phase: Phase,
    /// How often a group with this name was started, including deleted ones.
    pub runs: u32,
    /// Everything that the current run has printed.
    pub log: Vec<String>,
    /// What a GET shows.
    pub json: Value,
}

/// A container group that was deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct GoneGroup {
    /// The group as it was then.
    pub group: GroupSnapshot,
    /// When that was.
    pub deleted: OffsetDateTime,
}

impl GroupSnapshot {
    pub(super) fn of(group: &Group, runs: u32) -> Self {
        let mut snapshot = Self {
            name: group.name.clone(),
            tags: group.tags(),
            asked_tags: group.asked_tags.clone(),
            memory_gb: 0.0,
            cpu: 0.0,
            image: String::new(),
            environment: BTreeMap::new(),
            created: group.created,
            phase: group.phase,
            runs,
            log: group.log.lines(),
            json: group.to_json(View::Single),
        };
        match &group.content {
            Content::Planted(_) => {}
            Content::Spec(spec) => {
                snapshot.memory_gb = spec.memory_gb();
                snapshot.cpu = spec.cpu();
                if let Some(worker) = spec.containers.get(spec.worker_index()) {
                    snapshot.image.clone_from(&worker.image);
                    snapshot.environment.clone_from(&worker.environment);
                }
            }
        }
        snapshot
    }
}
