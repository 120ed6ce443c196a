//! Why attempts have failed, as outcomes say it.

use serde::Serialize;
use time::OffsetDateTime;

use crate::container_group::{GroupName, MemoryGb};

/// How an attempt ended, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AttemptEnd {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// In Azure's words, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The memory that its worker had and ran out of, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran_out_of_gb: Option<MemoryGb>,
    /// When it ended, which is since when its message waits for the next one.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub since: Option<OffsetDateTime>,
}

/// The failures for which a subscription is held up: how many, since when, and the last of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BreakerFailures {
    pub failures: usize,
    /// When the first of them ended.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    pub attempt: u32,
    /// Its group, if it is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
