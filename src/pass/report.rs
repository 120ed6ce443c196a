//! What a pass did, as a value: it prints as lines and serialises as JSON.
//!
//! Every peeked message and every managed group is in it with exactly one outcome.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use super::outcome::{GroupOutcome, MessageOutcome};

use super::apply::{Applied, kept, skipped};
use crate::container_group::GroupName;
use crate::plan::{Capacity, Delete, MessageRef, Plan, Read, Snapshot};

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
    /// The subscriptions.
    pub subscriptions: Vec<SubscriptionReport>,
    /// The subscriptions that were not looked at.
    pub skipped_subscriptions: Vec<String>,
    /// Every peeked message.
    pub messages: Vec<MessageReport>,
    /// Every managed group.
    pub groups: Vec<GroupReport>,
}

/// A subscription's part of a pass.
#[derive(Debug, Serialize)]
pub struct SubscriptionReport {
    /// Its name.
    pub name: String,
    /// How many messages were peeked.
    pub peeked: usize,
    /// Whether the messages go to the end of the subscription.
    pub to_the_end: bool,
    /// Why reading it ended early, if something went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A message and what became of it.
#[derive(Debug, Serialize)]
pub struct MessageReport {
    /// The message.
    #[serde(flatten)]
    pub message: MessageRef,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: MessageOutcome,
}

/// A group and what became of it.
#[derive(Debug, Serialize)]
pub struct GroupReport {
    /// The group.
    pub name: GroupName,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: GroupOutcome,
}

impl Report {
    pub(super) fn new(started_at: OffsetDateTime, snapshot: &Snapshot, plan: &Plan) -> Self {
        let subscriptions = snapshot.subscriptions.iter().map(|subscription| SubscriptionReport {
            name: subscription.name.clone(),
            peeked: subscription.messages.len(),
            to_the_end: subscription.read == Read::ToTheEnd,
            error: match &subscription.read {
                Read::Failed(error) => Some(error.to_string()),
                Read::ToTheEnd | Read::FarEnough => None,
            },
        });
        Self {
            started_at,
            duration_ms: 0,
            plan_only: false,
            capacity: plan.capacity,
            message_counts: BTreeMap::new(),
            group_counts: BTreeMap::new(),
            subscriptions: subscriptions.collect(),
            skipped_subscriptions: snapshot.skipped_subscriptions.clone(),
            messages: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Records what a plan would do.
    pub(super) fn record_plan(&mut self, plan: Plan) {
        self.plan_only = true;
        let creates = plan.creates.into_iter().map(|create| {
            let outcome = MessageOutcome::ToBeCreated { group: create.spec.name, memory_gb: create.spec.memory };
            (create.message, outcome)
        });
        let skips = plan.skips.into_iter().map(|(message, skip)| (message, skipped(skip)));
        let deletes = plan
            .deletes
            .into_iter()
            .map(|Delete { group, reason }| (group.name, GroupOutcome::ToBeDeleted { because: reason }));
        let keeps = plan.keeps.into_iter().map(|(group, keep)| (group, kept(keep)));
        self.record(Applied {
            messages: creates.chain(skips).collect(),
            groups: deletes.chain(keeps).collect(),
            ..Applied::default()
        });
    }

    /// Records what became of a plan.
    pub(super) fn record(&mut self, applied: Applied) {
        for (message, outcome) in applied.messages {
            *self.message_counts.entry(outcome.kind()).or_default() += 1;
            self.messages.push(MessageReport { message, outcome });
        }
        for (name, outcome) in applied.groups {
            *self.group_counts.entry(outcome.kind()).or_default() += 1;
            self.groups.push(GroupReport { name, outcome });
        }
    }

    pub(super) fn finish(&mut self, duration: Duration) {
        self.duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    }

    /// Whether something that was to be done, was not, and not just because there was no room for it.
    pub fn partly_failed(&self) -> bool {
        let failed = |counts: &BTreeMap<&'static str, usize>, kinds: &[&str]| {
            kinds.iter().any(|kind| counts.contains_key(*kind))
        };
        self.subscriptions.iter().any(|subscription| subscription.error.is_some())
            || failed(&self.message_counts, &["failed"])
            || failed(&self.group_counts, &["unread", "waiting_logs", "deleted_without_logs", "delete_failed"])
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
                    | M::Refused { .. }
                    | M::Parked { .. }
            )
        });
        self.groups.retain(|report| report.outcome != GroupOutcome::Active);
        self
    }

    /// A few sentences for people: the sums, then what somebody should look at.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = vec![self.sums()];
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
        lines.extend(self.examples("invalid", |message, outcome| match outcome {
            MessageOutcome::Invalid { reason } => Some(format!("{message} gets no container group: {reason}.")),
            _ => None,
        }));
        lines.extend(self.examples("failed", |message, outcome| match outcome {
            MessageOutcome::Failed { reason, .. } => Some(format!("{message} got no container group: {reason}.")),
            _ => None,
        }));
        lines.extend(self.examples("refused", |message, outcome| match outcome {
            MessageOutcome::Refused { until } => Some(format!(
                "{message} got no container group, as Azure refused it; it is asked for again at {}.",
                rfc3339(*until)
            )),
            _ => None,
        }));
        lines.extend(self.examples("parked", |message, outcome| match outcome {
            MessageOutcome::Parked { attempts, .. } => Some(format!(
                "{message} gets no further container group: {attempts} attempts have not settled it. It is left alone until it leaves its subscription."
            )),
            _ => None,
        }));
        lines.extend(self.broken_subscriptions());
        lines.extend(self.messages.iter().find_map(|report| match &report.outcome {
            MessageOutcome::WaitingQuota { reason } => Some(format!("Messages wait for Azure: {reason}.")),
            _ => None,
        }));
        lines
    }

    /// A few sentences on messages of one kind of outcome, and how many others there are.
    fn examples(
        &self,
        kind: &'static str,
        sentence: impl Fn(&MessageRef, &MessageOutcome) -> Option<String>,
    ) -> Vec<String> {
        /// Enough to see what is wrong.
        const MAX_EXAMPLES: usize = 5;
        let sentences = self.messages.iter().filter_map(|report| sentence(&report.message, &report.outcome));
        let mut lines: Vec<_> = sentences.take(MAX_EXAMPLES).collect();
        let count = self.message_counts.get(kind).copied().unwrap_or_default();
        if count > MAX_EXAMPLES {
            // A plan does not know what Azure has refused.
            let where_else =
                if ["invalid", "parked"].contains(&kind) { "; `aci-scaler plan --json` lists them" } else { "" };
            lines.push(format!("{} more messages are {kind}{where_else}.", count - MAX_EXAMPLES));
        }
        lines
    }

    /// A sentence for each subscription whose breaker holds messages.
    fn broken_subscriptions(&self) -> Vec<String> {
        let mut held: BTreeMap<&str, (usize, Option<OffsetDateTime>)> = BTreeMap::new();
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

    fn sums(&self) -> String {
        let list = |counts: &BTreeMap<&'static str, usize>| {
            let counts: Vec<_> =
                counts.iter().map(|(kind, count)| format!("{count} {}", kind.replace('_', " "))).collect();
            if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
        };
        let Capacity { max, active } = self.capacity;
        format!(
            "{} of {} ms. Messages: {}. Container groups: {}. Cap: {active} of {max} in use at the start.",
            if self.plan_only { "Plan" } else { "Pass" },
            self.duration_ms,
            list(&self.message_counts),
            list(&self.group_counts),
        )
    }
}

/// A moment as the JSON has it. No moment of ours is in a year that this cannot write.
fn rfc3339(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap_or_else(|_| moment.to_string())
}
