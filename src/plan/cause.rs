//! Why attempts failed, as the outcomes report it.

use serde::Serialize;
use time::OffsetDateTime;

use crate::container_group::{GroupName, MemoryGb};

/// How an attempt ended, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AttemptEnd {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// In Azure's words, if it gives a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The memory that its worker had and ran out of, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran_out_of_gb: Option<MemoryGb>,
    /// When it ended. Since then its message has waited for the next attempt.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub since: Option<OffsetDateTime>,
}

/// The failures that opened a subscription's breaker: how many there were, since when, and the last of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BreakerFailures {
    pub failures: usize,
    /// When the first of them ended.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Which attempt the last failure was.
    pub attempt: u32,
    /// Its group, if it still exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
