//! The last log lines of a group that is about to be deleted: the worker's first, then those of all other containers.
//!
//! A group is deleted if and only if its last lines have been logged, or it has none, or fetching them has failed in
//! [`MAX_FAILED_PASSES`] passes and the loss has been logged. Lines are logged once, however long the group then stays; a
//! loss is one only if the group is deleted before another try succeeds.

use std::collections::{HashMap, HashSet};

use crate::container_group::{ContainerGroup, Ending, GroupName, Phase};
use crate::plan::Delete;
use crate::services::{ArmError, ContainerGroups};
use crate::sync::Mutex;

/// Lines that are logged of each container.
const LINES: u32 = 20;

/// What is logged of each container at the most: Azure itself keeps 16 KB of a stopped one.
const MAX_CHARS: usize = 16 << 10;

/// Three passes are three minutes, in which a throttled or restarting front end has recovered; after that the group
/// costs more than its log is worth.
const MAX_FAILED_PASSES: u32 = 3;

/// Captures last lines, and remembers how far it has come with groups that cannot be deleted at once.
#[derive(Debug, Default)]
pub(super) struct LogCapture {
    /// With the phase, which tells a group from an earlier one of its name.
    progress: Mutex<HashMap<GroupName, (Phase, Progress)>>,
}

#[derive(Debug)]
enum Progress {
    /// Fetching them has failed in this many passes.
    Failed(u32),
    /// So many have been logged; the group is still there because it could not be deleted.
    Logged(usize),
}

/// What has become of a group's last lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Captured {
    /// They have been logged: this many.
    Logged { lines: usize },
    /// They are lost, which has been logged.
    Lost(ArmError),
    /// Fetching them failed, and may work at the next pass.
    NotYet(ArmError),
}

impl LogCapture {
    /// Logs the last lines of each of a group's containers.
    pub(super) async fn capture<G: ContainerGroups>(&self, groups: &G, group: &ContainerGroup) -> Captured {
        let phase = group.phase();
        if let Some((known, Progress::Logged(lines))) = self.progress.lock().get(&group.name)
            && *known == phase
        {
            return Captured::Logged { lines: *lines };
        }
        let mut lines = 0;
        let mut failure = None;
        for container in group.worker_first() {
            match groups.logs(&group.name, &container.name, LINES).await {
                Ok(text) => lines += log(&group.name, &container.name, &text),
                // There never was a log, or it has gone with the container.
                Err(ArmError::NotFound(refusal)) => {
                    tracing::debug!(group = %group.name, container = container.name, code = refusal.code, "no log is there");
                }
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            let failed = 1 + self.failed_passes(&group.name, phase);
            self.progress.lock().insert(group.name.clone(), (phase, Progress::Failed(failed)));
            if failed < MAX_FAILED_PASSES && may_pass(&error) {
                return Captured::NotYet(error);
            }
            tracing::error!(group = %group.name, %error, "the last log lines of a finished container group are lost");
            return Captured::Lost(error);
        }
        // What runs may print more, and an end that is not dated may be another one at the next pass.
        if matches!(phase, Phase::Ended(Ending { at: Some(_), .. })) {
            self.progress.lock().insert(group.name.clone(), (phase, Progress::Logged(lines)));
        } else {
            self.forget(&group.name);
        }
        Captured::Logged { lines }
    }

    /// Forgets a group that is deleted.
    pub(super) fn forget(&self, group: &GroupName) {
        self.progress.lock().remove(group);
    }

    /// Forgets groups that are not to be deleted any more.
    pub(super) fn retain(&self, deletes: &[Delete]) {
        let names: HashSet<_> = deletes.iter().map(|delete| &delete.group.name).collect();
        self.progress.lock().retain(|name, _| names.contains(name));
    }

    fn failed_passes(&self, group: &GroupName, phase: Phase) -> u32 {
        match self.progress.lock().get(group) {
            Some((known, Progress::Failed(passes))) if *known == phase => *passes,
            _ => 0,
        }
    }
}

/// Logs the last lines of a text, each as an event, and says how many there were.
fn log(group: &GroupName, container: &str, text: &str) -> usize {
    let start = text.char_indices().rev().nth(MAX_CHARS - 1).map_or(0, |(index, _)| index);
    let lines: Vec<&str> = text[start..].lines().collect();
    let lines = &lines[lines.len().saturating_sub(LINES as usize)..];
    for line in lines {
        tracing::info!(%group, container, "container log: {line}");
    }
    lines.len()
}

fn may_pass(error: &ArmError) -> bool {
    !matches!(error, ArmError::Rejected { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_and_characters_are_kept() {
        let group = GroupName::parse("g").unwrap();
        assert_eq!(log(&group, "worker", ""), 0);
        assert_eq!(log(&group, "worker", "one\ntwo\n"), 2);
        assert_eq!(log(&group, "worker", &"line\n".repeat(21)), 20);
        let long = "é".repeat(MAX_CHARS);
        assert_eq!(log(&group, "worker", &format!("cut\n{long}")), 1);
        assert_eq!(log(&group, "worker", &format!("cut\n{}", &long[2..])), 2, "the end of the line is one");
    }
}
