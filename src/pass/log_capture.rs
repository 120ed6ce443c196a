//! The ends of groups and their last log lines, each logged once.
//!
//! * The end is logged when a pass first sees it, with the last lines if they can be read then, without them if not.
//! * A group is deleted only after its last lines are logged, unless it has none, `LOG_CONTAINER_LINES` says not to log them, or
//!   reading them failed in [`MAX_FAILED_PASSES`] passes over [`LONGEST_OUTAGE`]. Then they are lost, and that is logged.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::ended::{self, LastLines};
use super::lives::{End, Lives};
use crate::container_group::{ContainerGroup, Ending, GroupName, Phase};
use crate::plan::{Delete, DeleteReason};
use crate::services::{ArmError, ContainerGroups};
use crate::settings::ContainerLines;
use crate::sync::Mutex;

/// How many lines of each container are logged.
const LINES: u32 = 20;

/// How many characters of each container are logged at most: Azure itself keeps 16 KB of a stopped one.
const MAX_CHARS: usize = 16 << 10;

/// After failures in three passes over two minutes, the group takes up more quota than its log is worth.
const MAX_FAILED_PASSES: u32 = 3;
const LONGEST_OUTAGE: Duration = Duration::from_mins(2);

/// Logs ends and last lines, and remembers what is logged of each group.
#[derive(Debug, Default)]
pub(super) struct LogCapture {
    container_lines: ContainerLines,
    pub(super) lives: Lives,
    progress: Mutex<HashMap<GroupName, Progress>>,
    has_looked: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    /// It tells a group from an earlier one with its name.
    phase: Phase,
    /// Whether its end is logged.
    end_is_logged: bool,
    lines: Lines,
}

#[derive(Clone, Copy, Debug)]
enum Lines {
    Unread,
    /// Reading them before a delete failed in this many passes in a row.
    Failed {
        passes: u32,
        since: Instant,
    },
    /// This many were logged, and the group still exists.
    Logged(usize),
}

/// Whether a group's last lines were logged before its delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Captured {
    /// This many were logged.
    Logged { lines: usize },
    /// They are lost, and that was logged.
    Lost(ArmError),
    /// Reading them failed, and may succeed in the next pass.
    NotYet(ArmError),
}

impl LogCapture {
    pub(super) fn new(container_lines: ContainerLines) -> Self {
        Self { container_lines, ..Self::default() }
    }

    /// Logs that a group has ended, with its last lines, unless that is already logged.
    pub(super) async fn see<G: ContainerGroups>(&self, groups: &G, group: &ContainerGroup, now: OffsetDateTime) {
        if self.is_end_logged(group) {
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
                self.remember(group, Lines::Unread);
            }
        }
    }

    /// Marks a group's end as logged, because an earlier process saw it.
    pub(super) fn mark_as_logged(&self, group: &ContainerGroup) {
        self.remember(group, Lines::Unread);
    }

    /// Whether this is the first call, which the first pass of a process makes.
    pub(super) fn is_first_pass(&self) -> bool {
        !self.has_looked.swap(true, Ordering::Relaxed)
    }

    /// Whether a group's end is logged.
    pub(super) fn is_end_logged(&self, group: &ContainerGroup) -> bool {
        self.progress_of(group).is_some_and(|progress| progress.end_is_logged)
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
        // A running group may print more, and without a date two ends of the same name cannot be told apart.
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
        if self.is_end_logged(group) {
            ended::log_lines(group, &lines);
        } else {
            ended::log(&self.lives, group, &end, &lines);
        }
        match read {
            Ok((_, lines)) => {
                self.remember(group, if is_final { Lines::Logged(lines) } else { Lines::Unread });
                Captured::Logged { lines }
            }
            Err(error) => {
                let (passes, since) = match before {
                    Some(Progress { lines: Lines::Failed { passes, since }, .. }) => (passes + 1, since),
                    _ => (1, Instant::now()),
                };
                self.remember(group, Lines::Failed { passes, since });
                let is_worth_waiting = passes < MAX_FAILED_PASSES || since.elapsed() < LONGEST_OUTAGE;
                if is_worth_waiting && may_pass(&error) {
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

    /// Forgets a deleted group.
    pub(super) fn forget(&self, group: &GroupName) {
        self.progress.lock().remove(group);
    }

    /// Forgets groups that no longer exist, and the failed reads of groups that are no longer to be deleted.
    pub(super) fn retain(&self, deletes: &[Delete], all: &BTreeSet<&GroupName>) {
        let deletes: BTreeSet<_> = deletes.iter().map(|delete| &delete.group.name).collect();
        let mut progress = self.progress.lock();
        progress.retain(|name, _| all.contains(name));
        for (_, progress) in progress.iter_mut().filter(|(name, _)| !deletes.contains(name)) {
            if let Lines::Failed { .. } = progress.lines {
                progress.lines = Lines::Unread;
            }
        }
    }

    fn progress_of(&self, group: &ContainerGroup) -> Option<Progress> {
        self.progress.lock().get(&group.name).copied().filter(|progress| progress.phase == group.phase())
    }

    fn remember(&self, group: &ContainerGroup, lines: Lines) {
        let progress = Progress { phase: group.phase(), end_is_logged: true, lines };
        self.progress.lock().insert(group.name.clone(), progress);
    }

    /// The last lines of each container that are to be logged, and their number. If there are several containers, each line
    /// begins with its container's name.
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
                // There never was a log, or it is gone with the container.
                Err(ArmError::NotFound(refusal)) => {
                    tracing::debug!(group = %group.name, container = container.name, code = refusal.code, "there is no log");
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
