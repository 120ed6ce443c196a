//! The attempts at a message whose groups still exist: running ones, records, and kept ones.

use serde::Serialize;
use time::OffsetDateTime;

use crate::azure::AzureServices;
use crate::container_group::{ContainerGroup, GroupName, MemoryGb, Phase, tag};
use crate::message::{MessageId, SubscriptionName};
use crate::pass::report::{Cost, Report, cost_so_far, last_lines};
use crate::services::ContainerGroups as _;

/// Lines of each container.
const LINES: u32 = 20;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Attempt {
    pub(super) group: GroupName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subscription: Option<SubscriptionName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence_number: Option<i64>,
    /// Since the count was last started again.
    #[serde(rename = "attempt")]
    pub(super) number: u32,
    #[serde(skip)]
    in_name: u32,
    /// `starting`, `running` or `ended`.
    pub(super) state: &'static str,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// The memory that its worker ran out of, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ran_out_of_gb: Option<MemoryGb>,
    /// The most that it or an attempt before it ran out of.
    #[serde(skip)]
    pub(super) most_ran_out_of: Option<MemoryGb>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost: Option<Cost>,
    pub(super) kept: bool,
    pub(super) last_lines: Vec<String>,
    /// Why there are none, if reading them failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lines_error: Option<String>,
}

/// The attempts at messages with an id, the first one first.
pub(super) async fn attempts(services: &AzureServices, report: &Report, id: &MessageId) -> Vec<Attempt> {
    let of_id = report.groups.iter().filter(|group| group.message_id.as_deref() == Some(id.as_str()));
    let mut attempts = Vec::new();
    for group in of_id {
        if let Ok(Some(group)) = services.groups.get(&group.name).await {
            attempts.push(attempt(services, &group, report.started_at).await);
        }
    }
    attempts.sort_by_key(|attempt| (attempt.sequence_number, attempt.in_name));
    attempts
}

async fn attempt(services: &AzureServices, group: &ContainerGroup, now: OffsetDateTime) -> Attempt {
    let (mut lines, mut lines_error) = (Vec::new(), None);
    for container in group.worker_first() {
        match services.groups.logs(&group.name, &container.name, LINES).await {
            Ok(text) => {
                let whose =
                    if group.worker_first().count() > 1 { format!("{}: ", container.name) } else { String::new() };
                lines.extend(last_lines(&text).into_iter().map(|line| format!("{whose}{line}")));
            }
            Err(error) => lines_error = Some(error.to_string()),
        }
    }
    let (state, ended_at) = match group.phase() {
        Phase::Starting => ("starting", None),
        Phase::Running { .. } => ("running", None),
        Phase::Ended(ending) => ("ended", ending.at),
    };
    Attempt {
        group: group.name.clone(),
        subscription: group.tag(tag::SUBSCRIPTION_NAME).filter(|name| !name.is_empty()).map(SubscriptionName::new),
        sequence_number: group.sequence_number(),
        number: group.attempt(),
        in_name: group.attempt_in_name(),
        state,
        started_at: group.first_start(),
        ended_at,
        exit_code: group.exit_code(),
        reason: group.cause(),
        ran_out_of_gb: group.ran_out_of(),
        most_ran_out_of: group.most_ran_out_of(),
        cost: cost_so_far(group, now),
        kept: group.is_kept(),
        last_lines: lines,
        lines_error,
    }
}
