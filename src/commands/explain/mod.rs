//! Says everything that is known about one message: what it is, what was tried, why it has no group if it has none, what happens
//! next and what a person can do. It changes nothing.

mod advice;
mod attempts;
mod find;
mod text;

use std::process::ExitCode;

use serde::Serialize;
use time::OffsetDateTime;

use super::FAILED;
use super::from_app::App;
use super::output::{self, NOT_WRITTEN};
use super::printed_pass::{AzureScaler, pass};
use crate::azure::AzureServices;
use crate::container_group::{GroupSpec, Job, MemoryGb};
use crate::deadline::Deadline;
use crate::error::chain;
use crate::message::{MessageId, PeekedMessage, SubscriptionName};
use crate::pass::Mode;
use crate::pass::report::{Cost, Report};
use crate::plan::{MessageOutcome, Policy};
use crate::services::Messages as _;
use crate::settings::Settings;
use attempts::{Attempt, attempts};
use find::{Found, find};

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// The message's id
    #[arg(value_name = "MESSAGE_ID")]
    message_id: String,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) app: App,
}

/// What is known about a message. Another message with its id, in any subscription, has its own explanation.
#[derive(Debug, Serialize)]
struct Explanation {
    subscription: SubscriptionName,
    sequence_number: i64,
    message_id: MessageId,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    enqueued_at: Option<OffsetDateTime>,
    /// Its outcome in a pass, if a pass reads that far.
    #[serde(flatten)]
    outcome: Option<MessageOutcome>,
    /// How many older messages its subscription has, as far as they were counted.
    older_messages: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size_mb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_size: Option<GroupSize>,
    attempts: Vec<Attempt>,
    /// The cost of the attempts whose groups still exist.
    cost: Cost,
    what: String,
    next: String,
    to_do: String,
}

/// The size and image of the message's group.
#[derive(Debug, Serialize)]
struct GroupSize {
    memory_gb: MemoryGb,
    /// The memory that an earlier attempt ran out of, if that is why it has this much.
    #[serde(skip_serializing_if = "Option::is_none")]
    ran_out_of_gb: Option<MemoryGb>,
    cpu: String,
    image: String,
}

pub(super) async fn explain(
    scaler: AzureScaler,
    services: &AzureServices,
    settings: &Settings,
    arguments: &Arguments,
) -> ExitCode {
    let Ok(id) = MessageId::new(arguments.message_id.as_str()) else {
        tracing::error!(event = "setting_error", "a message id has 1 to {} characters", MessageId::MAX_CHARS);
        return super::USAGE.into();
    };
    let deadline = Deadline::after(scaler.pass_deadline());
    let report = match pass(scaler, Mode::PlanOnly, &deadline, "nothing can be explained").await {
        Ok(report) => report,
        Err(exit_code) => return exit_code,
    };
    let found = find(services, &report, &id).await;
    let attempts = attempts(services, &report, &id).await;
    services.messages.close().await;
    let explanations: Vec<_> =
        found.messages.into_iter().map(|found| explained(found, &report, settings, &attempts)).collect();
    let text = if arguments.json {
        let all = serde_json::json!({ "messages": explanations, "attempts": attempts, "not_read": found.not_read });
        serde_json::to_string_pretty(&all).expect("an explanation has only what JSON can hold")
    } else if explanations.is_empty() {
        text::not_found(&id, &attempts, &found.not_read, &report)
    } else {
        let texts = explanations.iter().map(|explanation| text::text(explanation, report.started_at));
        texts.collect::<Vec<_>>().join("\n\n")
    };
    if let Err(error) = output::print(text).await {
        tracing::error!(event = "not_printed", "{}", chain(&error));
        return NOT_WRITTEN.into();
    }
    if explanations.is_empty() { FAILED.into() } else { ExitCode::SUCCESS }
}

fn explained(found: Found, report: &Report, settings: &Settings, attempts: &[Attempt]) -> Explanation {
    let Found { subscription, message_id, sequence_number, enqueued_at, outcome, older_messages, peeked } = found;
    let of_it = |attempt: &&Attempt| {
        attempt.subscription.as_ref().is_none_or(|of| *of == subscription)
            && attempt.sequence_number.is_none_or(|number| number == sequence_number)
    };
    let attempts: Vec<_> = attempts.iter().filter(of_it).cloned().collect();
    let cost = attempts.iter().filter_map(|attempt| attempt.cost).reduce(Cost::plus).unwrap_or_default();
    let advice = advice::advice(outcome.as_ref(), report, older_messages);
    let ran_out_of = attempts.last().and_then(|last| last.most_ran_out_of);
    let group_size = peeked.as_ref().and_then(|message| group_size(message, &subscription, ran_out_of, settings));
    Explanation {
        file_size_mb: peeked.and_then(|message| message.file_size_mb.ok()).map(|size| size.to_string()),
        subscription,
        sequence_number,
        message_id,
        enqueued_at,
        outcome,
        older_messages,
        group_size,
        attempts,
        cost,
        what: advice.what,
        next: advice.next,
        to_do: advice.to_do,
    }
}

fn group_size(
    message: &PeekedMessage,
    subscription: &SubscriptionName,
    ran_out_of: Option<MemoryGb>,
    settings: &Settings,
) -> Option<GroupSize> {
    let job = Job {
        subscription: subscription.clone(),
        sequence_number: message.sequence_number,
        message_id: message.message_id.clone().ok()?,
        file_size: message.file_size_mb.clone().ok()?,
        attempt: 1,
        attempts_before: 0,
        ran_out_of,
    };
    let GroupSpec { memory, ran_out_of, cpu, recipe, .. } = Policy::new(settings).recipe.group_for(&job);
    let image = recipe.image.clone();
    Some(GroupSize { memory_gb: memory, ran_out_of_gb: ran_out_of, cpu: cpu.to_string(), image })
}
