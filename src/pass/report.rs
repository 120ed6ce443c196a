//! What a pass did, as a value: it prints as lines and serialises as JSON.
//!
//! Every peeked message and every managed group is in it with exactly one outcome.

mod recipes;
mod topic;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::apply::Applied;
use crate::container_group::GroupName;
use crate::message::{MessageAddress, SubscriptionName};
use crate::plan::{Capacity, GroupOutcome, MessageOutcome, Plan, Snapshot};
pub use topic::{Backlog, CountsReport, SubscriptionReport, UnservedReport};

/// Examples of one trouble: enough to see what is wrong.
const MAX_EXAMPLES: usize = 5;

/// What a pass did, or, of a plan, would do.
#[derive(Debug, Serialize)]
pub struct Report {
    /// When the pass began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// How long it took.
    pub duration_ms: u64,
    /// Whether it only says what it would do.
    pub plan_only: bool,
    /// The cap before anything was created.
    pub capacity: Capacity,
    /// How many messages have each outcome.
    pub message_counts: BTreeMap<&'static str, usize>,
    /// How many groups have each outcome.
    pub group_counts: BTreeMap<&'static str, usize>,
    /// How many messages there are, if the service says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Backlog>,
    pub subscriptions: Vec<SubscriptionReport>,
    /// Those that are not read.
    pub skipped_subscriptions: Vec<SubscriptionName>,
    /// Those from which no worker can be served.
    pub unserved_subscriptions: Vec<UnservedReport>,
    /// Every peeked message.
    pub messages: Vec<MessageReport>,
    /// Every managed group.
    pub groups: Vec<GroupReport>,
    /// Groups that somebody else has deleted while their messages are still there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vanished_groups: Vec<GroupName>,
}

/// A message and what became of it.
#[derive(Debug, Serialize)]
pub struct MessageReport {
    #[serde(flatten)]
    pub message: MessageAddress,
    #[serde(flatten)]
    pub outcome: MessageOutcome,
}

/// A group and what became of it.
#[derive(Debug, Serialize)]
pub struct GroupReport {
    pub name: GroupName,
    #[serde(flatten)]
    pub outcome: GroupOutcome,
}

impl Report {
    pub(super) fn new(started_at: OffsetDateTime, snapshot: &Snapshot, plan: &Plan) -> Self {
        Self {
            started_at,
            duration_ms: 0,
            plan_only: false,
            capacity: plan.capacity,
            message_counts: BTreeMap::new(),
            group_counts: BTreeMap::new(),
            backlog: Backlog::of(&snapshot.subscriptions),
            subscriptions: snapshot.subscriptions.iter().map(SubscriptionReport::of).collect(),
            skipped_subscriptions: snapshot.skipped_subscriptions.clone(),
            unserved_subscriptions: snapshot.unserved_subscriptions.iter().map(UnservedReport::of).collect(),
            messages: Vec::new(),
            groups: Vec::new(),
            vanished_groups: plan.vanished.clone(),
        }
    }

    /// Records what a plan would do.
    pub(super) fn record_plan(&mut self, plan: Plan) {
        self.plan_only = true;
        let Plan { creates, mut messages, deletes, mut groups, .. } = plan;
        messages.extend(creates.into_iter().map(|create| (create.message.clone(), create.planned())));
        groups.extend(deletes.into_iter().map(|delete| (delete.group.name.clone(), delete.planned())));
        self.record(Applied { messages, groups, ..Applied::default() });
    }

    /// Records what became of a plan.
    pub(super) fn record(&mut self, applied: Applied) {
        for (message, outcome) in applied.messages {
            *self.message_counts.entry((&outcome).into()).or_default() += 1;
            self.messages.push(MessageReport { message, outcome });
        }
        for (name, outcome) in applied.groups {
            *self.group_counts.entry((&outcome).into()).or_default() += 1;
            self.groups.push(GroupReport { name, outcome });
        }
    }

    pub(super) fn finish(&mut self, duration: Duration) {
        self.duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    }

    /// Whether something that was to be done, was not, and not just because there was no room for it.
    pub fn partly_failed(&self) -> bool {
        use GroupOutcome::{DeleteFailed, DeletedWithoutLogs, Unread, WaitingLogs};
        let is_failure = |outcome: &GroupOutcome| {
            matches!(outcome, Unread { .. } | WaitingLogs { .. } | DeletedWithoutLogs { .. } | DeleteFailed { .. })
        };
        self.subscriptions.iter().any(|subscription| subscription.error.is_some())
            || self.messages.iter().any(|report| matches!(report.outcome, MessageOutcome::Failed { .. }))
            || self.groups.iter().any(|report| is_failure(&report.outcome))
    }

    /// The report without the messages and groups that just wait or run, of which there may be many.
    #[must_use]
    pub fn without_routine(mut self) -> Self {
        use MessageOutcome as M;
        self.messages.retain(|report| {
            matches!(
                report.outcome,
                M::Created { .. }
                    | M::ToBeCreated { .. }
                    | M::Found { .. }
                    | M::Invalid { .. }
                    | M::Failed { .. }
                    | M::CreateBackingOff { .. }
                    | M::Parked { .. }
            )
        });
        self.groups.retain(|report| report.outcome != GroupOutcome::Active);
        self
    }

    /// A few sentences for people: the sums, then what somebody should look at.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = vec![self.sums()];
        lines.extend(recipes::sentences(&self.messages));
        lines.extend(self.troubles());
        lines
    }

    /// A sentence for each thing that somebody should look at, with a few examples where there are many.
    pub fn troubles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.subscriptions.iter().filter_map(|subscription| {
            let error = subscription.error.as_ref()?;
            Some(format!("Subscription {} could not be read to its end: {error}.", subscription.name))
        }));
        lines.extend(self.unserved_subscriptions.iter().map(UnservedReport::to_string));
        lines.extend(self.message_troubles());
        lines.extend(self.broken_subscriptions());
        lines.extend(self.failing_creates());
        lines.extend(self.group_troubles());
        lines.extend(self.messages.iter().find_map(|report| match &report.outcome {
            MessageOutcome::WaitingQuota { reason } => Some(format!("Messages wait for Azure: {reason}.")),
            _ => None,
        }));
        lines
    }

    /// A few sentences on messages of each outcome that somebody should know of, and how many others there are.
    fn message_troubles(&self) -> Vec<String> {
        let mut lines_of: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for MessageReport { message, outcome } in &self.messages {
            if let Some(trouble) = trouble(outcome) {
                let lines = lines_of.entry(outcome.into()).or_default();
                if lines.len() < MAX_EXAMPLES {
                    lines.push(format!("{message} {trouble}"));
                }
            }
        }
        for (outcome, lines) in &mut lines_of {
            let more = self.message_counts.get(outcome).map_or(0, |count| count - lines.len());
            if more > 0 {
                // A plan does not know what Azure has refused.
                let is_planned = ["invalid", "parked"].contains(outcome);
                let where_else = if is_planned { "; `aci-scaler plan --json` lists them" } else { "" };
                lines.push(format!("{more} more messages are {outcome}{where_else}."));
            }
        }
        lines_of.into_values().flatten().collect()
    }

    /// A sentence for each subscription whose breaker holds messages.
    fn broken_subscriptions(&self) -> Vec<String> {
        let mut held: BTreeMap<&SubscriptionName, (usize, Option<OffsetDateTime>)> = BTreeMap::new();
        for report in &self.messages {
            if let MessageOutcome::HeldByBreaker { until } = report.outcome {
                held.entry(&report.message.subscription).or_insert((0, until)).0 += 1;
            }
        }
        let sentence = |(subscription, (count, until)): (_, (_, Option<OffsetDateTime>))| {
            let next = until.map_or_else(
                || "one container group is let through".to_owned(),
                |until| format!("the next container group is let through at {}", rfc3339(until)),
            );
            format!(
                "Subscription {subscription} is held up, as its containers have failed one after the other: {count} waiting; {next}."
            )
        };
        held.into_iter().map(sentence).collect()
    }

    /// A sentence for each subscription whose creates fail for a common reason.
    fn failing_creates(&self) -> Vec<String> {
        let mut held: BTreeMap<&SubscriptionName, (usize, &str)> = BTreeMap::new();
        for report in &self.messages {
            if let MessageOutcome::HeldByFailedCreates { reason } = &report.outcome {
                held.entry(&report.message.subscription).or_insert((0, reason)).0 += 1;
            }
        }
        let sentence = |(subscription, (count, reason))| {
            format!(
                "Subscription {subscription} gets one try in a pass, with {count} waiting, as no container group can be created: {reason}."
            )
        };
        held.into_iter().map(sentence).collect()
    }

    /// A sentence for each group that cannot be started, and one for those whose tags are not ours.
    fn group_troubles(&self) -> Vec<String> {
        let failing = self.groups.iter().filter_map(|report| match &report.outcome {
            GroupOutcome::StartFailing { reason, since } => {
                let since = since.map_or_else(String::new, |since| format!(" since {}", rfc3339(since)));
                Some(format!("Container group {} cannot be started{since}: {reason}.", report.name))
            }
            _ => None,
        });
        let untagged = self.groups.iter().filter(|report| report.outcome == GroupOutcome::Untagged);
        let untagged: Vec<_> = untagged.map(|report| report.name.as_str()).collect();
        let mut lines: Vec<_> = failing.collect();
        if !untagged.is_empty() {
            lines.push(format!(
                "The tags of {} container groups have been rewritten, so that they count and are never deleted: {}.",
                untagged.len(),
                untagged[..untagged.len().min(MAX_EXAMPLES)].join(", "),
            ));
        }
        if !self.vanished_groups.is_empty() {
            let examples: Vec<_> = self.vanished_groups.iter().take(MAX_EXAMPLES).map(GroupName::as_str).collect();
            lines.push(format!(
                "Container groups are gone that this scaler has not deleted, {}: {}. Each counts as an attempt at its message. A \
                 clean-up job, an Azure Policy, a person or another scaler with this prefix may delete them.",
                self.vanished_groups.len(),
                examples.join(", "),
            ));
        }
        lines
    }

    fn sums(&self) -> String {
        let list = |counts: &BTreeMap<&'static str, usize>| {
            let counts: Vec<_> =
                counts.iter().map(|(kind, count)| format!("{count} {}", kind.replace('_', " "))).collect();
            if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
        };
        let Capacity { max, active } = self.capacity;
        format!(
            "{} of {} ms. Messages: {}.{} Container groups: {}. Cap: {active} of {max} in use at the start.",
            if self.plan_only { "Plan" } else { "Pass" },
            self.duration_ms,
            list(&self.message_counts),
            self.backlog.map(|backlog| format!(" Backlog: {backlog} read.")).unwrap_or_default(),
            list(&self.group_counts),
        )
    }
}

/// What somebody should know of a message's outcome, if anything.
fn trouble(outcome: &MessageOutcome) -> Option<String> {
    Some(match outcome {
        MessageOutcome::Invalid { reason } => format!("gets no container group: {reason}."),
        MessageOutcome::Failed { reason, .. } => format!("got no container group: {reason}."),
        MessageOutcome::CreateBackingOff { until, failures, reason } => format!(
            "waits until {} for its container group, which could not be created (tries so far: {failures}): {reason}.",
            rfc3339(*until)
        ),
        MessageOutcome::Parked { attempts, .. } => format!(
            "gets no further container group: {attempts} attempts have not settled it. It is left alone until it leaves its subscription."
        ),
        _ => return None,
    })
}

/// A moment as the JSON has it. No moment of ours is in a year that this cannot write.
fn rfc3339(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap_or_else(|_| moment.to_string())
}
