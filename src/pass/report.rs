//! What a pass did: as a line for people, as JSON, and as troubles that somebody should know of.
//!
//! Every peeked message and every group of the scaler is in it, with exactly one outcome.

mod bounded;
mod event;
mod members;
mod recipes;
mod topic;
mod troubles;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::apply::{Applied, millis};
pub use super::apply::{Limits, Steps};
pub use super::lives::Cost;
pub(crate) use super::lives::cost_so_far;
pub(crate) use super::log_capture::last_lines;
use crate::container_group::{GroupName, tag};
use crate::message::SubscriptionName;
use crate::plan::{Capacity, GroupOutcome, MessageOutcome, Plan, Snapshot};
use members::Enqueued;
pub use members::{GroupReport, MessageReport};
pub(crate) use topic::Grouped;
pub use topic::{Backlog, CountsReport, SubscriptionReport, UnservedReport};
pub use troubles::TroubleKind;
pub(super) use troubles::{Item, Trouble};

/// What a pass did, or would do.
#[derive(Debug, Serialize)]
pub struct Report {
    /// When the pass began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// How long it took.
    pub duration_ms: u64,
    /// How long its steps took.
    pub steps: Steps,
    /// Whether the pass was only planned.
    pub plan_only: bool,
    /// The slots in use before anything was created.
    pub capacity: Capacity,
    /// How many messages have each outcome.
    pub message_counts: BTreeMap<&'static str, usize>,
    /// How many groups have each outcome.
    pub group_counts: BTreeMap<&'static str, usize>,
    /// How many messages there are, if the service says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Backlog>,
    /// What Azure said about its limits, and how often it throttled.
    pub limits: Limits,
    /// The cost of the groups whose ends this pass saw.
    pub cost: Cost,
    pub subscriptions: Vec<SubscriptionReport>,
    /// Subscriptions that `SKIP_SUBSCRIPTIONS` names.
    pub skipped_subscriptions: Vec<SubscriptionName>,
    /// Subscriptions from which no worker can receive.
    pub unserved_subscriptions: Vec<UnservedReport>,
    /// Every peeked message.
    pub messages: Vec<MessageReport>,
    /// Every group of the scaler.
    pub groups: Vec<GroupReport>,
    /// Groups that this process did not delete and that are gone, with their messages still there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vanished_groups: Vec<GroupName>,
    #[serde(skip)]
    enqueued: Enqueued,
    #[serde(skip)]
    group_tags: HashMap<GroupName, (Option<SubscriptionName>, Option<String>)>,
}

impl Report {
    pub(super) fn new(started_at: OffsetDateTime, snapshot: &Snapshot, plan: &Plan) -> Self {
        let tags = snapshot.groups.iter().map(|observed| {
            let group = &observed.group;
            let subscription = group.tag(tag::SUBSCRIPTION_NAME).filter(|name| !name.is_empty());
            let of = (subscription.map(SubscriptionName::new), group.tag(tag::MESSAGE_ID).map(str::to_owned));
            (group.name.clone(), of)
        });
        Self {
            started_at,
            duration_ms: 0,
            steps: Steps::default(),
            plan_only: false,
            capacity: plan.capacity,
            message_counts: BTreeMap::new(),
            group_counts: BTreeMap::new(),
            backlog: Backlog::of(&snapshot.subscriptions),
            limits: Limits::default(),
            cost: Cost::default(),
            subscriptions: snapshot.subscriptions.iter().map(SubscriptionReport::of).collect(),
            skipped_subscriptions: snapshot.skipped_subscriptions.clone(),
            unserved_subscriptions: snapshot.unserved_subscriptions.iter().map(UnservedReport::of).collect(),
            messages: Vec::new(),
            groups: Vec::new(),
            enqueued: Enqueued::of(&snapshot.subscriptions),
            group_tags: tags.collect(),
            vanished_groups: plan.vanished.clone(),
        }
    }

    /// Records what a plan would do.
    pub(super) fn record_plan(&mut self, plan: Plan) {
        self.plan_only = true;
        let Plan { creates, reserves, mut messages, deletes, mut groups, .. } = plan;
        messages.extend(reserves.into_iter().map(|create| (create.message, MessageOutcome::WaitingCapacity)));
        messages.extend(creates.into_iter().map(|create| (create.message.clone(), create.planned())));
        groups.extend(deletes.into_iter().map(|delete| (delete.group.name.clone(), delete.planned())));
        self.record(Applied { messages, groups, ..Applied::default() });
    }

    /// Records the outcomes of a pass.
    pub(super) fn record(&mut self, applied: Applied) {
        (self.limits, self.steps) = (applied.limits, applied.steps);
        let mut waiting: HashMap<SubscriptionName, (usize, Option<OffsetDateTime>)> = HashMap::new();
        for (message, outcome) in applied.messages {
            *self.message_counts.entry((&outcome).into()).or_default() += 1;
            let enqueued_at = self.enqueued.when(&message);
            if outcome.waits() {
                let (count, oldest) = waiting.entry(message.subscription.clone()).or_default();
                *count += 1;
                *oldest = [*oldest, enqueued_at].into_iter().flatten().min();
            }
            self.messages.push(MessageReport { message, enqueued_at, outcome });
        }
        for subscription in &mut self.subscriptions {
            (subscription.waiting, subscription.oldest_waiting_at) =
                waiting.remove(&subscription.name).unwrap_or_default();
        }
        for (name, outcome) in applied.groups {
            *self.group_counts.entry((&outcome).into()).or_default() += 1;
            let (subscription, message_id) = self.group_tags.remove(&name).unwrap_or_default();
            self.groups.push(GroupReport { name, subscription, message_id, outcome });
        }
        (self.enqueued, self.group_tags) = (Enqueued::default(), HashMap::new());
    }

    pub(super) fn finish(&mut self, duration: Duration) {
        self.duration_ms = millis(duration);
    }

    /// Whether something failed. Waiting for room or for time is no failure.
    pub fn partly_failed(&self) -> bool {
        use GroupOutcome::{DeleteFailed, DeletedWithoutLogs, Unread, WaitingLogs};
        let is_failure = |outcome: &GroupOutcome| {
            matches!(outcome, Unread { .. } | WaitingLogs { .. } | DeletedWithoutLogs { .. } | DeleteFailed { .. })
        };
        self.subscriptions.iter().any(|subscription| subscription.error.is_some())
            || self.messages.iter().any(|report| matches!(report.outcome, MessageOutcome::Failed { .. }))
            || self.groups.iter().any(|report| is_failure(&report.outcome))
    }

    /// How long the oldest waiting message of a subscription, or of all, has been waiting.
    pub(super) fn oldest_waiting_seconds(&self, name: Option<&SubscriptionName>) -> Option<i64> {
        let of_it = self.subscriptions.iter().filter(|subscription| name.is_none_or(|name| subscription.name == *name));
        let oldest = of_it.filter_map(|subscription| subscription.oldest_waiting_at).min()?;
        Some((self.started_at - oldest).whole_seconds().max(0))
    }

    /// Sentences about the overrides that apply to the groups of a plan, if any do.
    pub fn recipes(&self) -> Vec<String> {
        recipes::sentences(&self.messages)
    }

    /// The sums, for people.
    pub fn sums(&self) -> String {
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
