//! What a pass decides: the output of a plan, and the one vocabulary of outcomes.
//!
//! The planner decides each outcome, applying the plan may change it, and the report prints it. An outcome's name is
//! derived from its variant and stands nowhere else.

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

/// What a pass is to do. It leaves nothing to decide: each group to create is there in full, and every observed message
/// and group is in it exactly once.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Groups to create, the most urgent first.
    pub creates: Vec<Create>,
    /// Groups that are created in place of those that Azure refuses.
    pub reserves: Vec<Create>,
    /// All other messages.
    pub messages: Vec<(MessageAddress, MessageOutcome)>,
    pub deletes: Vec<Delete>,
    /// All other groups.
    pub groups: Vec<(GroupName, GroupOutcome)>,
    /// Groups that somebody else has deleted, or that have never come about, with their messages still there.
    pub vanished: Vec<GroupName>,
    /// Groups that stay, and whose tags are to say since when they have been in their condition.
    pub tag_changes: Vec<TagChange>,
    /// What the next pass has to know, if this plan is carried out.
    pub memory: Memory,
    /// How full the cap is before anything is created.
    pub capacity: Capacity,
}

/// A group to create, and the message it is for.
#[derive(Clone, Debug)]
pub struct Create {
    pub message: MessageAddress,
    pub spec: GroupSpec,
    /// The record of the last attempt, which must still be there, or this attempt is another process's.
    pub record: Option<GroupName>,
}

#[derive(Clone, Debug)]
pub struct Delete {
    pub group: Arc<ContainerGroup>,
    pub reason: DeleteReason,
}

/// A change of what a group's tags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagChange {
    pub group: GroupName,
    /// The only condition that they are to name from now on, if any, and since when.
    pub condition: Option<(Condition, OffsetDateTime)>,
}

/// What becomes of a message in a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MessageOutcome {
    /// It got this group.
    Created {
        group: GroupName,
        memory_gb: MemoryGb,
        /// The memory that an earlier attempt ran out of, if that is why it has as much.
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
        /// The entries of `ACI_SUBSCRIPTION_OVERRIDES` that its group is made by, the most specific first.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        overrides: Vec<SubscriptionPattern>,
    },
    /// Its group turned out to be there already.
    Found { group: GroupName },
    /// It has a group that is active.
    Running {
        group: GroupName,
        /// Why the group's start fails, in Azure's words, if it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Since when its start fails, if Azure says.
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        since: Option<OffsetDateTime>,
    },
    /// A group that has ended is in its way; once that is gone the message, if still there, is served.
    Finished { group: GroupName },
    /// Its next attempt was due, but the last one's group has changed since; the next pass sees how.
    Changed {
        /// The last attempt's group.
        group: GroupName,
    },
    /// The last attempt has not settled it, and the next one is not due yet.
    BackingOff {
        /// Which attempt that was, from 1.
        attempt: u32,
        /// When the next one is due.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
        /// The attempt's group, if it is still there.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<GroupName>,
        #[serde(flatten)]
        end: AttemptEnd,
    },
    /// No attempt has settled it, and there will be no other while it stays in its subscription.
    Parked {
        attempts: u32,
        /// The last one's group, if it is still there.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<GroupName>,
        /// How the last one ended.
        #[serde(flatten)]
        end: AttemptEnd,
    },
    /// Too much has failed in its subscription lately, so that one group at a time is tried.
    HeldByBreaker {
        /// When the next one is, unless one is under way already.
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        until: Option<OffsetDateTime>,
        #[serde(flatten)]
        failures: Option<BreakerFailures>,
    },
    /// Its group could not be created, and is not asked for again until then.
    CreateBackingOff {
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
        /// How often it could not be created.
        failures: u32,
        /// What Azure said last.
        reason: String,
    },
    /// Creates of its subscription fail for one and the same reason, so that one is tried in a pass.
    HeldByFailedCreates { reason: String },
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
    /// A receiver has deferred it.
    Deferred,
    /// It is not due yet.
    Scheduled,
    /// Its time to live is over.
    Expired,
    /// It cannot be given a group.
    Invalid { reason: String },
    /// Its group was not created, or no answer says whether it was.
    Failed { group: GroupName, reason: String },
}

/// What becomes of a group in a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum GroupOutcome {
    /// It is at work, or may be.
    Active,
    /// It is active, and Azure says that its containers cannot be started.
    StartFailing {
        attempt: u32,
        /// In Azure's words.
        reason: String,
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        since: Option<OffsetDateTime>,
    },
    /// Its name is one of ours, and its tags are not: somebody else has rewritten them. It counts, and is never deleted.
    Untagged,
    /// Its state could not be read; it counts as active.
    Unread { reason: String },
    /// It would be deleted, and stays because an operator wants it to.
    Kept,
    /// It would be deleted, and stays because its subscription could not be read.
    SubscriptionUnread,
    /// It has ended, and stays because the read did not come to its message, or its subscription is skipped.
    MessageUnknown,
    /// It has ended with its message still there, and stays as the record of the attempt.
    Record {
        /// Which attempt, from 1.
        attempt: u32,
        /// When the next one is due, unless it is already, or never.
        #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        until: Option<OffsetDateTime>,
        #[serde(flatten)]
        end: AttemptEnd,
    },
    /// It has ended well, and stays because other groups of its subscription have failed: it keeps the breaker closed.
    LastSuccess,
    /// It was to be deleted, and has changed since that was decided.
    Changed,
    /// It is to be deleted, and stays until its log can be read.
    WaitingLogs {
        /// Why it could not be.
        reason: String,
    },
    /// It is to be deleted, and stays until Azure takes more.
    WaitingQuota {
        /// What Azure says.
        reason: String,
    },
    /// It is to be deleted, and stays because the pass had no time left for it.
    WaitingDeadline,
    /// It was deleted after its last lines were logged.
    Deleted { because: DeleteReason, log_lines: usize },
    /// It was deleted although its last lines were lost.
    DeletedWithoutLogs {
        because: DeleteReason,
        /// Why they were lost.
        reason: String,
    },
    /// It would be deleted.
    ToBeDeleted { because: DeleteReason },
    /// It was not deleted, or no answer says whether it was.
    DeleteFailed { reason: String },
}

/// Why a group is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeleteReason {
    /// It has ended, and its message wants no other.
    Finished,
    /// It has ended, and the next attempt has its own group.
    Superseded,
    /// It has ended, and there are too many like it.
    Evicted,
    /// It has not begun to run in the time it was given, its start has failed for minutes, or Azure may have been billing it
    /// for as long although it has ended.
    Stuck,
    /// It has run for longer than it may.
    Overran,
    /// It runs, and its message has been gone for long.
    Orphaned,
}

impl Create {
    /// What becomes of its message if the plan is not carried out.
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
    /// What becomes of the group if the plan is not carried out.
    pub fn planned(&self) -> GroupOutcome {
        GroupOutcome::ToBeDeleted { because: self.reason }
    }
}

fn as_number<S: Serializer>(decimal: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(decimal.to_f64().unwrap_or_default())
}
