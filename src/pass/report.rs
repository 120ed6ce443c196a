//! What a pass did, as a value: it prints as lines and serialises as JSON.
//!
//! Every peeked message and every managed group is in it with exactly one outcome.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::apply::{Applied, kept, skipped};
use crate::container_group::{GroupName, MemoryGb};
use crate::plan::{Capacity, Delete, MessageRef, Plan, Read, Reason, Snapshot};

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

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum MessageOutcome {
    /// It got this group.
    Created {
        /// The group.
        group: GroupName,
        /// The group's memory.
        memory_gb: MemoryGb,
    },
    /// It would get this group.
    ToBeCreated {
        /// The group.
        group: GroupName,
        /// The group's memory.
        memory_gb: MemoryGb,
    },
    /// Its group turned out to be there already.
    Found {
        /// The group.
        group: GroupName,
    },
    /// It has a group that is active.
    Running {
        /// The group.
        group: GroupName,
    },
    /// A group that is terminal is in its way; once that is gone the message, if still there, is served.
    Finished {
        /// The group.
        group: GroupName,
    },
    /// Its next attempt was due, but the last one's group is not what it was; the next pass sees what is.
    Changed {
        /// The last attempt's group.
        group: GroupName,
    },
    /// The last attempt at it has not settled it, and the next one is not due yet.
    BackingOff {
        /// Which attempt that was, from 1.
        attempt: u32,
        /// When the next one is due.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
        /// The attempt's group, if it is still there.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<GroupName>,
    },
    /// No attempt at it has settled it, and there will be no other while it stays in its subscription.
    Parked {
        /// How many there were.
        attempts: u32,
        /// The last one's group, if it is still there.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<GroupName>,
    },
    /// Too much has failed in its subscription lately, so one group at a time is let through.
    HeldByBreaker {
        /// When the next one will be, unless one is on its way already.
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        until: Option<OffsetDateTime>,
    },
    /// It waits for a slot of the cap.
    WaitingCapacity,
    /// It waits until Azure takes more.
    WaitingQuota {
        /// What Azure says.
        reason: String,
    },
    /// The pass had no time left for it.
    WaitingDeadline,
    /// An older message of the same id comes first.
    Duplicate,
    /// A receiver has set it aside.
    Deferred,
    /// It is not due yet.
    Scheduled,
    /// Its time to live is over.
    Expired,
    /// It cannot be given a group.
    Invalid {
        /// Why.
        reason: String,
    },
    /// Its group was not created, or nobody knows.
    Failed {
        /// The group.
        group: GroupName,
        /// Why.
        reason: String,
    },
}

/// What became of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum GroupOutcome {
    /// It is at work, or may be.
    Active,
    /// Its state could not be read; it counts as active.
    Unread {
        /// Why.
        reason: String,
    },
    /// It is finished, and stays because an operator wants it to.
    Kept,
    /// It is finished, and stays because its subscription could not be read.
    SubscriptionUnread,
    /// It is finished, and stays because the read did not come to its message.
    MessageUnknown,
    /// It is finished with its message still there, and stays as the record of the attempt.
    Record {
        /// Which attempt, from 1.
        attempt: u32,
        /// When the next one is due, unless it is already, or never.
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        until: Option<OffsetDateTime>,
    },
    /// It is finished, and stays to show that its subscription is not as broken as others make it look.
    Witness,
    /// It was to go, and is not any more what it was when that was decided.
    Changed,
    /// It is to go, and stays until its log can be read.
    WaitingLogs {
        /// Why it could not.
        reason: String,
    },
    /// It is to go, and stays because the pass had no time left for it.
    WaitingDeadline,
    /// It was deleted after its last lines were logged.
    Deleted {
        /// Why it went.
        because: Reason,
        /// How many lines that were.
        log_lines: usize,
    },
    /// It was deleted although its last lines were lost.
    DeletedWithoutLogs {
        /// Why it went.
        because: Reason,
        /// Why they were.
        reason: String,
    },
    /// It would be deleted.
    ToBeDeleted {
        /// Why.
        because: Reason,
    },
    /// It was not deleted, or nobody knows.
    DeleteFailed {
        /// Why.
        reason: String,
    },
}

impl MessageOutcome {
    /// Its name, as the JSON has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::ToBeCreated { .. } => "to_be_created",
            Self::Found { .. } => "found",
            Self::Running { .. } => "running",
            Self::Finished { .. } => "finished",
            Self::Changed { .. } => "changed",
            Self::BackingOff { .. } => "backing_off",
            Self::Parked { .. } => "parked",
            Self::HeldByBreaker { .. } => "held_by_breaker",
            Self::WaitingCapacity => "waiting_capacity",
            Self::WaitingQuota { .. } => "waiting_quota",
            Self::WaitingDeadline => "waiting_deadline",
            Self::Duplicate => "duplicate",
            Self::Deferred => "deferred",
            Self::Scheduled => "scheduled",
            Self::Expired => "expired",
            Self::Invalid { .. } => "invalid",
            Self::Failed { .. } => "failed",
        }
    }
}

impl GroupOutcome {
    /// Its name, as the JSON has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unread { .. } => "unread",
            Self::Kept => "kept",
            Self::SubscriptionUnread => "subscription_unread",
            Self::MessageUnknown => "message_unknown",
            Self::Record { .. } => "record",
            Self::Witness => "witness",
            Self::Changed => "changed",
            Self::WaitingLogs { .. } => "waiting_logs",
            Self::WaitingDeadline => "waiting_deadline",
            Self::Deleted { .. } => "deleted",
            Self::DeletedWithoutLogs { .. } => "deleted_without_logs",
            Self::ToBeDeleted { .. } => "to_be_deleted",
            Self::DeleteFailed { .. } => "delete_failed",
        }
    }
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
        self.record(Applied { messages: creates.chain(skips).collect(), groups: deletes.chain(keeps).collect() });
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
                M::Created { .. } | M::ToBeCreated { .. } | M::Found { .. } | M::Invalid { .. } | M::Failed { .. }
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
        /// Examples of one kind; the JSON report has the rest.
        const MAX_EXAMPLES: usize = 5;
        let mut lines = Vec::new();
        lines.extend(self.subscriptions.iter().filter_map(|subscription| {
            let error = subscription.error.as_ref()?;
            Some(format!("Subscription {} could not be read to its end: {error}.", subscription.name))
        }));
        let troubles = self.messages.iter().filter_map(|report| match &report.outcome {
            MessageOutcome::Invalid { reason } => {
                Some(format!("{} gets no container group: {reason}.", report.message))
            }
            MessageOutcome::Failed { reason, .. } => {
                Some(format!("{} got no container group: {reason}.", report.message))
            }
            _ => None,
        });
        let count = troubles.clone().count();
        lines.extend(troubles.take(MAX_EXAMPLES));
        if count > MAX_EXAMPLES {
            lines.push(format!("{} more messages like these are in the report.", count - MAX_EXAMPLES));
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
            "{} of {} ms. Messages: {}. Container groups: {}. Cap: {active} of {max} in use at the start.",
            if self.plan_only { "Plan" } else { "Pass" },
            self.duration_ms,
            list(&self.message_counts),
            list(&self.group_counts),
        )
    }
}
