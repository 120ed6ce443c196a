//! Checks everything that a pass needs, one line for each, and says what to do about problems.
//!
//! All checks run at once and end after [`LIMIT`]: a missing answer is a failure. It changes nothing.

mod azure;
mod finding;
mod local;
mod topic;

use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join;
use tokio::time::{Instant, timeout_at};

use super::FAILED;
use super::from_app::App;
use super::output::{self, NOT_WRITTEN};
use crate::azure::AzureServices;
use crate::azure::diagnosis::Diagnosis;
use crate::error::chain;
use crate::services::Messages as _;
use crate::settings::{Environment, Settings};
use finding::{Finding, Status};

/// How long to wait for answers. Most come within a second or two.
const LIMIT: Duration = Duration::from_secs(8);

/// How long the connection may take to close.
const CLOSING: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) app: App,
}

pub(super) async fn check(
    services: &AzureServices,
    diagnosis: &Diagnosis,
    settings: &Settings,
    environment: &impl Environment,
    arguments: &Arguments,
) -> ExitCode {
    let until = Instant::now() + LIMIT;
    let azure = azure::findings(services, diagnosis, settings, until);
    let (azure, topic) = join(azure, topic::findings(services, settings, until)).await;
    _ = timeout_at(Instant::now() + CLOSING, services.messages.close()).await;
    let mut findings = azure;
    findings.extend(topic);
    findings.extend(local::findings(settings, environment));
    let text = if arguments.json {
        serde_json::to_string_pretty(&findings).expect("findings have only what JSON can hold")
    } else {
        findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
    };
    if let Err(error) = output::print(text).await {
        tracing::error!(event = "not_printed", "{}", chain(&error));
        return NOT_WRITTEN.into();
    }
    let has_failed = findings.iter().any(|finding| finding.status == Status::Failure);
    if has_failed { FAILED.into() } else { ExitCode::SUCCESS }
}
