//! One pass: observe, plan, apply, report.
//!
//! * [`observe`] reads the container groups, the subscriptions and their messages. What it cannot read is unknown, and unknown
//!   never counts as empty.
//! * [`crate::plan`] decides, without I/O.
//! * [`apply`] creates, then deletes. It retries nothing: the next pass does.
//! * [`report`] has the outcome of every message and every group, and the troubles that somebody should know of.

mod apply;
mod ended;
mod lives;
mod log_capture;
mod observe;
mod pass_time;
pub mod report;
mod standing;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Once};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::container_group::{ContainerGroup, GroupName};
use crate::deadline::Deadline;
use crate::message::MessageAddress;
use crate::plan::{FailureCause, Memory, MessageOutcome, Policy, Snapshot, plan};
use crate::services::{ArmError, ContainerGroups, Messages, PeekError, Services, Subscriptions};
use crate::settings::{ProcessingSettings, Settings};
use crate::sync::Mutex;
use apply::{Applied, Applier, Budget, Requests, millis};
use lives::{Cost, cost_so_far};
use log_capture::LogCapture;
use observe::{Kept, Observer};
use pass_time::PassTime;
use report::Report;
pub use standing::FailedPasses;
use standing::Standing;

/// Makes passes. Callers must not run two at once.
#[derive(Debug)]
pub struct Scaler<G, S, M> {
    services: Services<G, S, M>,
    policy: Policy,
    settings: ProcessingSettings,
    clock: Clock,
    log_capture: LogCapture,
    standing: Standing,
    budget: Budget,
    requests: Requests,
    memory: Mutex<Memory>,
    unknown_names: Once,
    kept: Kept,
}

/// Whether a pass carries out what it plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It creates and deletes, unless `PROVISIONING_DRY_RUN` is set.
    Apply,
    /// It only reports what it would do.
    PlanOnly,
}

/// Why a pass failed. It created and deleted nothing.
#[derive(Debug, thiserror::Error)]
pub enum PassFailure {
    /// Without the groups, nobody knows which messages have one.
    #[error("the container groups could not be listed")]
    GroupsNotListed(#[source] ArmError),
    /// Without the subscriptions, there are no messages to read.
    #[error("the subscriptions of the topic could not be listed")]
    SubscriptionsNotListed(#[source] ArmError),
    /// No subscription could be peeked. This is the first one's error.
    #[error("no subscription could be peeked")]
    NothingPeeked(#[source] PeekError),
    /// Reading took all the time.
    #[error("the pass had to end before everything was read")]
    OutOfTime,
}

impl<G: ContainerGroups, S: Subscriptions, M: Messages> Scaler<G, S, M> {
    /// A scaler over these services, with these settings.
    pub fn new(services: Services<G, S, M>, settings: &Settings, clock: Clock) -> Self {
        Self {
            services,
            policy: Policy::new(settings),
            settings: settings.processing.clone(),
            clock,
            log_capture: LogCapture::new(settings.logs.container_lines),
            standing: Standing::default(),
            budget: Budget::default(),
            requests: Requests::default(),
            memory: Mutex::default(),
            unknown_names: Once::new(),
            kept: Kept::default(),
        }
    }

    /// Makes a pass, which starts nothing after the deadline.
    ///
    /// # Errors
    /// Too little could be read to decide anything. The pass created and deleted nothing.
    pub async fn pass(&self, mode: Mode, deadline: &Deadline) -> Result<Report, PassFailure> {
        self.try_pass(mode, deadline).await.inspect_err(|_| self.standing.pass_failed(self.clock.now()))
    }

    /// The passes that failed in a row, if the last one failed.
    pub fn failed_passes(&self) -> Option<FailedPasses> {
        self.standing.failed_passes(self.clock.now())
    }

    async fn try_pass(&self, mode: Mode, deadline: &Deadline) -> Result<Report, PassFailure> {
        let started_at = self.clock.now();
        let start = Instant::now();
        let (memory, asked_for) = (self.memory.lock().clone(), self.requests.recent());
        let time = PassTime::new(&self.clock);
        let turn = self.kept.next_turn(started_at);
        let observer = Observer { settings: &self.settings, time: &time, kept: &self.kept, turn };
        let observing = observer.observe(&self.services, &self.policy, &memory, asked_for);
        let snapshot = deadline.limit(Box::pin(observing)).await.ok_or(PassFailure::OutOfTime)??;
        self.unknown_names.call_once(|| self.warn_about_unknown_names(&snapshot));
        let observed_at = Instant::now();
        let mut plan = plan(&snapshot, &memory, &self.policy, time.now());

        let mut report = Report::new(started_at, &snapshot, &plan);
        let groups: Vec<_> = snapshot.groups.iter().map(|observed| observed.group.clone()).collect();
        // A hundred thousand messages take some 15 MB, and nothing needs them from here on.
        drop(snapshot);
        let planned_at = Instant::now();
        let failed_creates = if mode == Mode::PlanOnly || self.settings.dry_run {
            report.record_plan(plan);
            let costs = groups.iter().filter_map(|group| cost_so_far(group, started_at));
            report.cost = costs.reduce(Cost::plus).unwrap_or_default();
            Vec::new()
        } else {
            *self.memory.lock() = std::mem::take(&mut plan.memory);
            let applier = Applier {
                groups: &self.services.groups,
                workers: self.settings.max_workers.get(),
                time: &time,
                log_capture: &self.log_capture,
                budget: &self.budget,
                requests: &self.requests,
                deadline,
                outdated_at: outdated_at(start, self.settings.retry_backoff),
                reuses_names: self.settings.retry_backoff.is_zero(),
            };
            let mut done = applier.apply(plan, &groups).await;
            let failed_creates = self.remember(&mut done, time.now());
            report.record(done);
            report.cost = self.log_capture.lives.take_cost();
            self.remember_lives(&report, &groups, time.now());
            failed_creates
        };
        if mode == Mode::Apply {
            self.standing.log(&mut report, &failed_creates, &self.log_capture.lives, time.now());
        }
        report.steps.observe_ms = millis(observed_at - start);
        report.steps.plan_ms = millis(planned_at - observed_at);
        report.finish(start.elapsed());
        Ok(report)
    }

    /// Remembers what later figures need to know about the existing groups.
    fn remember_lives(&self, report: &Report, groups: &[Arc<ContainerGroup>], now: OffsetDateTime) {
        let lives = &self.log_capture.lives;
        let mut there: BTreeSet<&GroupName> = groups.iter().map(|group| &group.name).collect();
        for message in &report.messages {
            match &message.outcome {
                MessageOutcome::Created { group, .. } => {
                    lives.created(group, now);
                    lives.has_group(group, message.enqueued_at);
                    there.insert(group);
                }
                MessageOutcome::Running { group, .. } | MessageOutcome::Found { group } => {
                    lives.has_group(group, message.enqueued_at);
                    there.insert(group);
                }
                _ => {}
            }
        }
        lives.retain(&there);
    }

    /// Remembers what the next pass must know about the outcomes. Returns the failed creates.
    fn remember(&self, done: &mut Applied, now: OffsetDateTime) -> Vec<(MessageAddress, FailureCause)> {
        let mut memory = self.memory.lock();
        let failed = std::mem::take(&mut done.create_failures);
        for (message, cause) in &failed {
            memory.create_failed(message.clone(), cause.clone(), now);
        }
        for (message, group) in std::mem::take(&mut done.created) {
            memory.create_succeeded(message, group, now);
        }
        let deletes = done.groups.iter().filter(|(_, outcome)| outcome.may_be_deleted());
        memory.deleted(&deletes.map(|(group, _)| group).collect(), now);
        memory.tags_are_rewritten = done.tags_are_rewritten.unwrap_or(memory.tags_are_rewritten);
        memory.tags_refused(&done.tags_refused);
        memory.leave_to_tags(&done.tagged);
        failed
    }

    /// Warns of names in settings that match no subscription: the subscription that was meant is served like any other.
    fn warn_about_unknown_names(&self, snapshot: &Snapshot) {
        for name in self.settings.skipped_but_unknown(&snapshot.skipped_subscriptions) {
            tracing::warn!(
                event = "setting_warning",
                "SKIP_SUBSCRIPTIONS names {name}, but the topic has no such subscription"
            );
        }
        let names: Vec<_> = snapshot.subscription_names().collect();
        for pattern in self.policy.recipe.overrides.matching_nothing(&names) {
            tracing::warn!(
                event = "setting_warning",
                "ACI_SUBSCRIPTION_OVERRIDES names {pattern}, but the topic has no such subscription"
            );
        }
    }

    /// Closes connections that were kept for the next pass.
    pub async fn close(&self) {
        self.services.messages.close().await;
    }

    /// How long a pass may take.
    pub fn pass_deadline(&self) -> Duration {
        self.settings.pass_deadline
    }
}

/// Does all of `work`, at most `workers` at once, so that a slow one does not hold up the others. The outputs are in the order
/// of `work`.
async fn side_by_side<F: Future>(workers: usize, work: impl Iterator<Item = F>) -> Vec<F::Output> {
    let numbered = |(number, work): (usize, F)| async move { (number, work.await) };
    let mut waiting = work.enumerate();
    let mut under_way: FuturesUnordered<_> = waiting.by_ref().take(workers).map(numbered).collect();
    let mut done = Vec::new();
    while let Some(output) = under_way.next().await {
        done.push(output);
        under_way.extend(waiting.next().map(numbered));
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, output)| output).collect()
}

/// When what a pass has seen from `start` on is too old to create groups: another process may have made a whole attempt since,
/// and begun the next. Three quarters of a back-off leave the last quarter for lists that lag and for requests under way.
/// Without back-offs every attempt has the same name, and the look-up before a create is enough.
fn outdated_at(start: Instant, retry_backoff: Duration) -> Option<Instant> {
    (!retry_backoff.is_zero()).then(|| start.checked_add(retry_backoff / 4 * 3)).flatten()
}
