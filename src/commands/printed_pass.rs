//! Makes a pass and prints its report.

use std::process::ExitCode;

use super::output::{self, NOT_WRITTEN};
use super::{FAILED, PARTLY_FAILED};
use crate::azure::container_instances::ContainerInstances;
use crate::azure::service_bus::ServiceBus;
use crate::azure::topic_subscriptions::TopicSubscriptions;
use crate::deadline::Deadline;
use crate::error::chain;
use crate::pass::report::Report;
use crate::pass::{Mode, Scaler};

pub(super) type AzureScaler = Scaler<ContainerInstances, TopicSubscriptions, ServiceBus>;

/// Makes a pass and ends the scaler. If the pass fails, the log says `failed` and why.
pub(super) async fn pass(
    scaler: AzureScaler,
    mode: Mode,
    deadline: &Deadline,
    failed: &str,
) -> Result<Report, ExitCode> {
    let passed = scaler.pass(mode, deadline).await;
    scaler.close().await;
    passed.map_err(|failure| {
        tracing::error!(event = "pass_failed", "{failed}: {}", chain(&failure));
        FAILED.into()
    })
}

/// Makes a pass and prints its report. Problems are in the log.
pub(super) async fn print_pass(scaler: AzureScaler, json: bool, deadline: &Deadline) -> ExitCode {
    let report = match pass(scaler, Mode::Apply, deadline, "the pass failed").await {
        Ok(report) => report,
        Err(exit_code) => return exit_code,
    };
    let text = if json { serde_json::to_string_pretty(&report) } else { Ok(report.sums()) };
    if let Err(error) = output::print(text.expect("a report has only what JSON can hold")).await {
        tracing::error!(event = "not_printed", "{}", chain(&error));
        report.log();
        return NOT_WRITTEN.into();
    }
    exit_code(&report)
}

pub(super) fn exit_code(report: &Report) -> ExitCode {
    if report.partly_failed() { PARTLY_FAILED.into() } else { ExitCode::SUCCESS }
}
