//! What becomes of each message and each group in a pass.

use serde::Serialize;
use time::OffsetDateTime;

use crate::container_group::{GroupName, MemoryGb};
use crate::plan::Reason;

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
    /// Azure has refused to create a group for it.
    Refused {
        /// When it will be asked for again.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// A group whose own message is gone is expected to serve it.
    WaitingSpare {
        /// That group.
        group: GroupName,
        /// When the message is due for a group of its own, if it is still there.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
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
    /// It is finished, or would go for another reason, and stays because an operator wants it to.
    Kept,
    /// It is finished, or would go for another reason, and stays because its subscription could not be read.
    SubscriptionUnread,
    /// It is finished, and stays because the read did not come to its message, or its subscription is skipped.
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
    /// It is to go, and stays until Azure takes more.
    WaitingQuota {
        /// What Azure says.
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
            Self::Refused { .. } => "refused",
            Self::WaitingSpare { .. } => "waiting_spare",
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
            Self::WaitingQuota { .. } => "waiting_quota",
            Self::WaitingDeadline => "waiting_deadline",
            Self::Deleted { .. } => "deleted",
            Self::DeletedWithoutLogs { .. } => "deleted_without_logs",
            Self::ToBeDeleted { .. } => "to_be_deleted",
            Self::DeleteFailed { .. } => "delete_failed",
        }
    }
}
