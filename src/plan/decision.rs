//! What a pass decides: the plan, and every outcome that a message or a group can have.
//!
//! The planner decides an outcome, apply may change it, and the report prints it. An outcome's name is derived from its
//! variant and defined nowhere else.

use std::sync::Arc;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Serialize, Serializer};
use strum::{IntoStaticStr, VariantNames};
use time::OffsetDateTime;

use super::capacity::Capacity;
use super::cause::{AttemptEnd, BreakerFailures};
use super::memory::{Condition, Memory};
use crate::container_group::{ContainerGroup, GroupName, GroupSpec, MemoryGb, SubscriptionPattern};
use crate::message::MessageAddress;

/// What a pass is to do. It leaves nothing to decide: it has each group to create in full, and each observed message and
/// group exactly once.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Groups to create, the most urgent first.
    pub creates: Vec<Create>,
    /// Groups to create in place of those that Azure refuses.
    pub reserves: Vec<Create>,
    /// All other messages.
    pub messages: Vec<(MessageAddress, MessageOutcome)>,
    pub deletes: Vec<Delete>,
    /// All other groups.
    pub groups: Vec<(GroupName, GroupOutcome)>,
    /// Groups that somebody else deleted, or that were never created although Azure accepted the request, and whose messages
    /// are still there.
    pub vanished: Vec<GroupName>,
    /// Groups that stay and whose tags change, because the tags date the groups' conditions.
    pub tag_changes: Vec<TagChange>,
    /// What the next pass must know, if this plan is carried out.
    pub memory: Memory,
    /// How many slots are in use before anything is created.
    pub capacity: Capacity,
}

/// A group to create, and the message it is for.
#[derive(Clone, Debug)]
pub struct Create {
    pub message: MessageAddress,
    pub spec: GroupSpec,
    /// The record of the last attempt. It must still exist; otherwise another process has made this attempt. And an operator
    /// must not have restarted the count since.
    pub record: Option<Arc<ContainerGroup>>,
}

#[derive(Clone, Debug)]
pub struct Delete {
    pub group: Arc<ContainerGroup>,
    pub reason: DeleteReason,
}

/// A change of a group's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagChange {
    pub group: GroupName,
    /// The one condition that the tags name from now on, if any, and since when the group has been in it.
    pub condition: Option<(Condition, OffsetDateTime)>,
}

/// The outcome of a message in a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MessageOutcome {
    /// It got this group.
    Created {
        group: GroupName,
        memory_gb: MemoryGb,
        /// The memory that an earlier attempt ran out of, if that is why it has this much.
        #[serde(skip_serializing_if = "Option::is_none")]
        ran_out_of_gb: Option<MemoryGb>,
    },
    /// It would get this group.
    ToBeCreated {
        group: GroupName,
        memory_gb: MemoryGb,
        /// As above.
        #[serde(skip_serializing_if = "Option::is_none")]
        ran_out_of_gb: Option<MemoryGb>,
        /// Cores.
        #[serde(serialize_with = "as_number")]
        cpu: Decimal,
        image: String,
        /// The entries of `ACI_SUBSCRIPTION_OVERRIDES` that apply to its group, the most specific first.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        overrides: Vec<SubscriptionPattern>,
    },
    /// Its group turned out to exist already.
    Found { group: GroupName },
    /// It has a group that is active.
    Running {
        group: GroupName,
        /// Why the group's start fails, in Azure's words, if it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Since when its start has been failing, if Azure says.
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        since: Option<OffsetDateTime>,
    },
    /// A group that has ended is in its way. Once that group is deleted, the message is served, if it is still there.
    Finished { group: GroupName },
    /// Its next attempt was due, but the last attempt's group changed, or was tagged for a retry, during the pass. The next pass
    /// decides again.
    Changed {
        /// The last attempt's group.
        group: GroupName,
    },
    /// The last attempt did not settle it, and the next one is not due yet.
    BackingOff {
        /// Which attempt the last one was, from 1.
        attempt: u32,
        /// When the next one is due.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
        /// The last attempt's group, if it still exists.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<GroupName>,
        #[serde(flatten)]
        end: AttemptEnd,
    },
    /// No attempt settled it, and it gets no other while it stays in its subscription.
    Parked {
        attempts: u32,
        /// The last one's group, if it still exists.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<GroupName>,
        /// How the last one ended.
        #[serde(flatten)]
        end: AttemptEnd,
    },
    /// Too many attempts failed in its subscription, so that its breaker lets one group at a time through.
    HeldByBreaker {
        /// When the breaker lets the next group through, unless one is active now.
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        until: Option<OffsetDateTime>,
        #[serde(flatten)]
        failures: Option<BreakerFailures>,
    },
    /// Its group could not be created, and the scaler does not try again yet.
    CreateBackingOff {
        /// When it tries again.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
        /// How many creates failed.
        failures: u32,
        /// What Azure answered to the last one.
        reason: String,
    },
    /// The creates of its subscription all fail for the same reason, so that each pass tries only one.
    HeldByFailedCreates { reason: String },
    /// It waits for a free slot.
    WaitingCapacity,
    /// It waits until Azure accepts more creates.
    WaitingQuota {
        /// What Azure answered.
        reason: String,
    },
    /// The pass had no time left for it.
    WaitingDeadline,
    /// An older message with the same id comes first.
    Duplicate,
    /// A receiver deferred it.
    Deferred,
    /// It is not due yet.
    Scheduled,
    /// Its time to live is over.
    Expired,
    /// It has no valid id or size, and so can get no group.
    Invalid { reason: String },
    /// Its group was not created, or Azure did not say whether it was.
    Failed { group: GroupName, reason: String },
}

/// The outcome of a group in a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum GroupOutcome {
    /// It starts or runs, or may do so.
    Active,
    /// It is active, and Azure says that it cannot start its containers.
    StartFailing {
        attempt: u32,
        /// In Azure's words.
        reason: String,
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        since: Option<OffsetDateTime>,
    },
    /// Its name is one of the scaler's, but somebody has rewritten its tags. It counts towards the cap, and is never deleted.
    Untagged,
    /// Its state could not be read; it counts as active.
    Unread { reason: String },
    /// It would be deleted, but an operator tagged it `keep=true`.
    Kept,
    /// It would be deleted, but its subscription could not be read.
    SubscriptionUnread,
    /// It has ended, and stays because the pass does not know whether its message is still there: it did not read that far, or
    /// the subscription is skipped.
    MessageUnknown,
    /// It has ended and its message is still there, so it stays as the record of the attempt.
    Record {
        /// Which attempt, from 1.
        attempt: u32,
        /// When the next one is due, unless it is due already or there is none.
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        until: Option<OffsetDateTime>,
        #[serde(flatten)]
        end: AttemptEnd,
    },
    /// It succeeded, and stays because other groups of its subscription failed: it keeps the breaker closed.
    LastSuccess,
    /// It was to be deleted, but it changed after that was decided.
    Changed,
    /// It is to be deleted, but stays until its log can be read.
    WaitingLogs {
        /// Why its log could not be read.
        reason: String,
    },
    /// It is to be deleted, but stays until Azure accepts more deletes.
    WaitingQuota {
        /// What Azure answered.
        reason: String,
    },
    /// It is to be deleted, but the pass had no time left for it.
    WaitingDeadline,
    /// It was deleted after its last lines were logged.
    Deleted { because: DeleteReason, log_lines: usize },
    /// It was deleted, and its last lines are lost.
    DeletedWithoutLogs {
        because: DeleteReason,
        /// Why they were lost.
        reason: String,
    },
    /// It would be deleted.
    ToBeDeleted { because: DeleteReason },
    /// It was not deleted, or Azure did not say whether it was.
    DeleteFailed { reason: String },
}

impl GroupOutcome {
    /// Whether this pass has deleted it, or may have.
    pub(crate) fn may_be_deleted(&self) -> bool {
        matches!(self, Self::Deleted { .. } | Self::DeletedWithoutLogs { .. } | Self::DeleteFailed { .. })
    }
}

/// Why a group is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeleteReason {
    /// It has ended, and its message needs no other group.
    Finished,
    /// It has ended, and the next attempt has its own group.
    Superseded,
    /// It has ended, and there are too many records.
    Evicted,
    /// It did not start within `ACI_PROVISIONING_TIMEOUT_MINUTES`, its start has been failing for five minutes, or its work has
    /// ended and Azure may have been billing it for `ACI_PROVISIONING_TIMEOUT_MINUTES` since.
    Stuck,
    /// It has run for longer than `ACI_MAX_RUNTIME_MINUTES`.
    Overran,
    /// It runs, and its message has been gone for `PROVISIONING_ORPHAN_GRACE_MINUTES`.
    Orphaned,
}

impl Create {
    /// The outcome of its message if the plan is only printed.
    pub fn planned(&self) -> MessageOutcome {
        let GroupSpec { name, memory, cpu, ran_out_of, recipe, .. } = &self.spec;
        MessageOutcome::ToBeCreated {
            group: name.clone(),
            memory_gb: *memory,
            ran_out_of_gb: *ran_out_of,
            cpu: *cpu,
            image: recipe.image.clone(),
            overrides: recipe.applied.clone(),
        }
    }
}

impl DeleteReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Delete {
    /// The outcome of the group if the plan is only printed.
    pub fn planned(&self) -> GroupOutcome {
        GroupOutcome::ToBeDeleted { because: self.reason }
    }
}

fn as_number<S: Serializer>(decimal: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(decimal.to_f64().unwrap_or_default())
}
