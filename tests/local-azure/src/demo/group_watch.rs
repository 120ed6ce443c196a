//! Reports what happens to container groups, and counts it.

use std::collections::BTreeMap;

use super::story::Story;
use crate::container_groups::{GroupSnapshot, Phase};

/// The counts of container groups so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) created: usize,
    pub(crate) deleted: usize,
    /// The most that held a slot at the same time.
    pub(crate) most_at_once: usize,
}

/// Compares the groups with those of the last call.
#[derive(Debug, Default)]
pub(crate) struct GroupWatch {
    seen: BTreeMap<String, Phase>,
    tally: Tally,
}

impl GroupWatch {
    /// Counts what changed and reports it, except for the deleted groups, which it returns.
    pub(crate) fn look(&mut self, groups: &[GroupSnapshot], story: &Story) -> Vec<String> {
        let is_gone = |name: &String| !groups.iter().any(|group| group.name == *name);
        let gone: Vec<_> = self.seen.keys().filter(|name| is_gone(name)).cloned().collect();
        self.seen.retain(|name, _| !gone.contains(name));
        self.tally.deleted += gone.len();
        for group in groups {
            match self.seen.insert(group.name.clone(), group.phase) {
                None => {
                    self.tally.created += 1;
                    story.tell("group", &created(group));
                }
                Some(phase) if phase != group.phase => {
                    story.tell("group", &format!("{} {}", group.name, state(group.phase)));
                }
                Some(_) => {}
            }
        }
        let active = groups.iter().filter(|group| !group.phase.is_over()).count();
        self.tally.most_at_once = self.tally.most_at_once.max(active);
        gone
    }

    /// The counts so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }
}

fn created(group: &GroupSnapshot) -> String {
    let tag = |name: &str| group.tags.get(name).map_or("?", String::as_str);
    format!(
        "{} is created with {} GB for {} of {} MB in {}",
        group.name,
        group.memory_gb,
        tag("message_id"),
        tag("file_size_mb"),
        tag("subscription_name"),
    )
}

fn state(phase: Phase) -> String {
    match phase {
        Phase::Pending => "is pending".to_owned(),
        Phase::Pulling => "pulls its image".to_owned(),
        Phase::ImagePullBackOff => "cannot pull its image".to_owned(),
        Phase::Running { .. } => "is running".to_owned(),
        Phase::StartFails(failure) => format!("cannot start: {}", failure.detail_status()),
        Phase::Terminated { started, finished, exit } => {
            let how = exit.code().map_or_else(|| "was stopped".to_owned(), |code| format!("has exited with {code}"));
            format!("{how} after {:.1} s", (finished - started).as_seconds_f64())
        }
        Phase::NoCapacity => "has failed: the region has no room".to_owned(),
        Phase::Planted => "was planted".to_owned(),
    }
}
