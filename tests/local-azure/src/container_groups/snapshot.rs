//! A container group as tests see it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::group::{Content, Group, Phase, View};
use super::spec::EnvironmentVariable;

/// A container group at one moment, secrets included.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSnapshot {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its memory, in GB.
    pub memory_gb: f64,
    /// Its CPU, in cores.
    pub cpu: f64,
    /// The image of its first container.
    pub image: String,
    /// The variables of its first container.
    pub environment: BTreeMap<String, EnvironmentVariable>,
    /// How far its life has come.
    pub phase: Phase,
    /// How often a group of this name was started, deleted ones included.
    pub runs: u32,
    /// All that the present run has printed.
    pub log: Vec<String>,
    /// What a GET shows.
    pub json: Value,
}

impl GroupSnapshot {
    pub(super) fn of(group: &Group, runs: u32) -> Self {
        let mut snapshot = Self {
            name: group.name.clone(),
            tags: BTreeMap::new(),
            memory_gb: 0.0,
            cpu: 0.0,
            image: String::new(),
            environment: BTreeMap::new(),
            phase: group.phase,
            runs,
            log: group.log.lines(),
            json: group.to_json(View::Single),
        };
        match &group.content {
            Content::Planted(json) => {
                let tags = json["tags"].as_object().into_iter().flatten();
                snapshot.tags =
                    tags.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
            }
            Content::Spec(spec) => {
                snapshot.tags.clone_from(&spec.tags);
                snapshot.memory_gb = spec.memory_gb();
                snapshot.cpu = spec.cpu();
                if let Some(first) = spec.containers.first() {
                    snapshot.image.clone_from(&first.image);
                    snapshot.environment.clone_from(&first.environment);
                }
            }
        }
        snapshot
    }
}
