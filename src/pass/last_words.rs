//! The last log lines of a group that is about to go.
//!
//! A group is let go if and only if its last lines have been logged, or it has none, or fetching them has failed in
//! [`MAX_FAILED_PASSES`] passes and the loss has been logged.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::container_group::{ContainerGroup, GroupName, Phase};
use crate::plan::Delete;
use crate::services::{ArmError, ContainerGroups};

/// Lines that are kept of each container.
const LINES: u32 = 20;

/// What is kept of each container at the most: Azure itself keeps 16 KB of a stopped one.
const MAX_CHARS: usize = 16 << 10;

/// Three passes are three minutes, in which a throttled or restarting front end has recovered; after that the group
/// costs more than its log is worth.
const MAX_FAILED_PASSES: u32 = 3;

/// Captures last lines, and remembers how often that has failed.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    /// With the phase, which tells a group from an earlier one of its name.
    failed_passes: Mutex<HashMap<GroupName, (Phase, u32)>>,
}

/// What has become of a group's last lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Captured {
    /// They have been logged: this many.
    Logged { lines: usize },
    /// They are lost, which has been logged.
    Lost(ArmError),
    /// Fetching them failed, and may work at the next pass.
    NotYet(ArmError),
}

impl LastWords {
    /// Logs the last lines of each of a group's containers.
    pub(super) async fn capture<G: ContainerGroups>(&self, groups: &G, group: &ContainerGroup) -> Captured {
        let mut lines = 0;
        let mut failure = None;
        for container in &group.containers {
            match groups.logs(&group.name, &container.name, LINES).await {
                Ok(text) => lines += log(&group.name, &container.name, &text),
                // There never was a log, or it has gone with the container.
                Err(ArmError::NotFound { code, .. }) => {
                    tracing::debug!(group = %group.name, container = container.name, code, "no log is there");
                }
                Err(error) => failure = Some(error),
            }
        }
        let mut failed_passes = self.failed_passes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = failure else {
            failed_passes.remove(&group.name);
            return Captured::Logged { lines };
        };
        let (phase, failed) = failed_passes.entry(group.name.clone()).or_insert((group.phase(), 0));
        if *phase != group.phase() {
            (*phase, *failed) = (group.phase(), 0);
        }
        *failed += 1;
        if *failed < MAX_FAILED_PASSES && may_pass(&error) {
            return Captured::NotYet(error);
        }
        failed_passes.remove(&group.name);
        tracing::error!(group = %group.name, %error, "the last log lines of a finished container group are lost");
        Captured::Lost(error)
    }

    /// Forgets groups that are not about to go any more.
    pub(super) fn retain(&self, deletes: &[Delete]) {
        let mut failed_passes = self.failed_passes.lock().unwrap_or_else(PoisonError::into_inner);
        failed_passes.retain(|name, _| deletes.iter().any(|delete| delete.group.name == *name));
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
