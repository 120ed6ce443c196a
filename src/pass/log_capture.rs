//! The last log lines of groups: of those that fail when that is first seen, and of all others before they are deleted.
//!
//! A group is deleted if and only if its last lines have been logged, or it has none, or they are not to be logged
//! (`LOG_CONTAINER_LINES`), or fetching them has failed in [`MAX_FAILED_PASSES`] passes and the loss has been logged. Lines are
//! logged once, however long the group then stays; a loss is one only if the group is deleted before another try succeeds.
//! That a group has ended is logged once as well, when it is first seen, whether its lines can be read or not.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use time::OffsetDateTime;

use super::ended::{self, LastLines};
use super::lives::{End, Lives};
use crate::container_group::{ContainerGroup, Ending, GroupName, Phase};
use crate::plan::{Delete, DeleteReason};
use crate::services::{ArmError, ContainerGroups};
use crate::settings::ContainerLines;
use crate::sync::Mutex;

/// Lines that are logged of each container.
const LINES: u32 = 20;

/// What is logged of each container at the most: Azure itself keeps 16 KB of a stopped one.
const MAX_CHARS: usize = 16 << 10;

/// Three passes are three minutes, in which a throttled or restarting front end has recovered; after that the group
/// costs more than its log is worth.
const MAX_FAILED_PASSES: u32 = 3;

/// Captures last lines, and remembers how far it has come with each group.
#[derive(Debug, Default)]
pub(super) struct LogCapture {
    container_lines: ContainerLines,
    pub(super) lives: Lives,
    progress: Mutex<HashMap<GroupName, Progress>>,
    has_looked: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    /// It tells a group from an earlier one of its name.
    phase: Phase,
    /// Whether the log has that it has ended.
    is_told: bool,
    lines: Lines,
}

#[derive(Clone, Copy, Debug)]
enum Lines {
    /// Fetching them before a delete has failed in this many passes.
    Failed(u32),
    /// So many have been logged; the group is still there.
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
    pub(super) fn new(container_lines: ContainerLines) -> Self {
        Self { container_lines, ..Self::default() }
    }

    /// Logs that a group has ended, and its last lines, unless the log has that already.
    pub(super) async fn see<G: ContainerGroups>(&self, groups: &G, group: &ContainerGroup, now: OffsetDateTime) {
        if self.has_told(group) {
            return;
        }
        let end = End::of(group, None, now);
        match self.read(groups, group, &end).await {
            Ok((text, lines)) => {
                ended::log(&self.lives, group, &end, &LastLines::Read(&text));
                self.remember(group, Lines::Logged(lines));
            }
            Err(error) => {
                ended::log(&self.lives, group, &end, &LastLines::Unread(&error));
                self.remember(group, Lines::Failed(0));
            }
        }
    }

    /// Takes it that the log has that a group has ended, because an earlier process has seen it.
    pub(super) fn take_for_told(&self, group: &ContainerGroup) {
        self.remember(group, Lines::Failed(0));
    }

    /// Whether this is the first pass of the process that asks.
    pub(super) fn is_first_pass(&self) -> bool {
        !self.has_looked.swap(true, Ordering::Relaxed)
    }

    /// Whether the log has that a group has ended.
    pub(super) fn has_told(&self, group: &ContainerGroup) -> bool {
        self.progress_of(group).is_some_and(|progress| progress.is_told)
    }

    /// Logs the last lines of a group that is to be deleted.
    pub(super) async fn capture<G: ContainerGroups>(
        &self,
        groups: &G,
        group: &ContainerGroup,
        because: DeleteReason,
        now: OffsetDateTime,
    ) -> Captured {
        let before = self.progress_of(group);
        // What runs may print more, and an end that is not dated may be another one at the next pass.
        let is_final = matches!(group.phase(), Phase::Ended(Ending { at: Some(_), .. }));
        if let Some(Progress { lines: Lines::Logged(lines), .. }) = before
            && is_final
        {
            return Captured::Logged { lines };
        }
        let end = End::of(group, Some(because), now);
        let read = self.read(groups, group, &end).await;
        let lines = match &read {
            Ok((text, _)) => LastLines::Read(text),
            Err(error) => LastLines::Unread(error),
        };
        if self.has_told(group) {
            ended::log_lines(group, &lines);
        } else {
            ended::log(&self.lives, group, &end, &lines);
        }
        match read {
            Ok((_, lines)) => {
                self.remember(group, if is_final { Lines::Logged(lines) } else { Lines::Failed(0) });
                Captured::Logged { lines }
            }
            Err(error) => {
                let failed = match before {
                    Some(Progress { lines: Lines::Failed(passes), .. }) => passes + 1,
                    _ => 1,
                };
                self.remember(group, Lines::Failed(failed));
                if failed < MAX_FAILED_PASSES && may_pass(&error) {
                    return Captured::NotYet(error);
                }
                tracing::error!(
                    event = "lines_lost", group = %group.name, %error,
                    "the last log lines of a finished container group are lost"
                );
                Captured::Lost(error)
            }
        }
    }

    /// Forgets a group that is deleted.
    pub(super) fn forget(&self, group: &GroupName) {
        self.progress.lock().remove(group);
    }

    /// Forgets groups that are not there any more, and how often it has tried with those that are not to be deleted any more.
    pub(super) fn retain(&self, deletes: &[Delete], all: &BTreeSet<&GroupName>) {
        let deletes: BTreeSet<_> = deletes.iter().map(|delete| &delete.group.name).collect();
        let mut progress = self.progress.lock();
        progress.retain(|name, _| all.contains(name));
        for (_, progress) in progress.iter_mut().filter(|(name, _)| !deletes.contains(name)) {
            if let Lines::Failed(passes) = &mut progress.lines {
                *passes = 0;
            }
        }
    }

    fn progress_of(&self, group: &ContainerGroup) -> Option<Progress> {
        self.progress.lock().get(&group.name).copied().filter(|progress| progress.phase == group.phase())
    }

    fn remember(&self, group: &ContainerGroup, lines: Lines) {
        let progress = Progress { phase: group.phase(), is_told: true, lines };
        self.progress.lock().insert(group.name.clone(), progress);
    }

    /// The last lines of each container that are to be logged, and how many they are. Where there are several containers, each line
    /// says whose it is.
    async fn read<G: ContainerGroups>(
        &self,
        groups: &G,
        group: &ContainerGroup,
        end: &End,
    ) -> Result<(String, usize), ArmError> {
        let is_wanted = match self.container_lines {
            ContainerLines::All => true,
            ContainerLines::Failures => end.failed,
            ContainerLines::None => false,
        };
        let (mut all, mut failure) = (Vec::new(), None);
        for container in group.worker_first().filter(|_| is_wanted) {
            match groups.logs(&group.name, &container.name, LINES).await {
                Ok(text) => {
                    let whose =
                        if group.worker_first().count() > 1 { format!("{}: ", container.name) } else { String::new() };
                    all.extend(last_lines(&text).into_iter().map(|line| format!("{whose}{line}")));
                }
                // There never was a log, or it has gone with the container.
                Err(ArmError::NotFound(refusal)) => {
                    tracing::debug!(group = %group.name, container = container.name, code = refusal.code, "no log is there");
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or_else(|| Ok((all.join("\n"), all.len())), Err)
    }
}

/// The last lines of a text, as many as are logged.
pub(crate) fn last_lines(text: &str) -> Vec<&str> {
    let start = text.char_indices().rev().nth(MAX_CHARS - 1).map_or(0, |(index, _)| index);
    let mut lines: Vec<&str> = text[start..].lines().collect();
    lines.drain(..lines.len().saturating_sub(LINES as usize));
    lines
}

fn may_pass(error: &ArmError) -> bool {
    !matches!(error, ArmError::Rejected { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_and_characters_are_kept() {
        assert_eq!(last_lines(""), [""; 0]);
        assert_eq!(last_lines("one\ntwo\n"), ["one", "two"]);
        assert_eq!(last_lines(&"line\n".repeat(21)).len(), 20);
        let long = "é".repeat(MAX_CHARS);
        assert_eq!(last_lines(&format!("cut\n{long}")).len(), 1);
        assert_eq!(last_lines(&format!("cut\n{}", &long[2..])).len(), 2, "the end of the line is one");
    }
}
