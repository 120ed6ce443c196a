//! Prints what a pass would do, message by message.

use std::io::stdout;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use strum::VariantNames as _;
use time::OffsetDateTime;

use super::cause::Cause;
use super::from_app::App;
use super::output::{self, NOT_WRITTEN};
use super::printed_pass::{AzureScaler, exit_code, pass};
use super::table::table;
use super::words::{cost, lasting, moment};
use crate::deadline::Deadline;
use crate::error::chain;
use crate::message::SubscriptionName;
use crate::pass::Mode;
use crate::pass::report::{Report, SubscriptionReport, UnservedReport};
use crate::plan::{GroupOutcome, MessageOutcome};

const HEAD: [&str; 8] = ["SUBSCRIPTION", "MESSAGE", "AGE", "OUTCOME", "SINCE", "ATTEMPT", "GROUP", "REASON"];

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Only messages and groups of this subscription; may be given several times
    #[arg(long, value_name = "NAME")]
    subscription: Vec<String>,
    /// Only messages and groups with this outcome; may be given several times
    #[arg(long, value_name = "OUTCOME", value_parser = outcomes(), hide_possible_values = true)]
    outcome: Vec<String>,
    /// Only the message with this id; may be given several times
    #[arg(long, value_name = "ID")]
    message: Vec<String>,
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) app: App,
}

fn outcomes() -> PossibleValuesParser {
    let all = MessageOutcome::VARIANTS.iter().chain(GroupOutcome::VARIANTS);
    PossibleValuesParser::new(all.copied().collect::<std::collections::BTreeSet<_>>())
}

pub(super) async fn plan(scaler: AzureScaler, arguments: &Arguments) -> ExitCode {
    let deadline = Deadline::after(scaler.pass_deadline());
    let mut report = match pass(scaler, Mode::PlanOnly, &deadline, "nothing can be planned").await {
        Ok(report) => report,
        Err(exit_code) => return exit_code,
    };
    arguments.filter(&mut report);
    let text = if arguments.json {
        serde_json::to_string_pretty(&report).expect("a report has only what JSON can hold")
    } else {
        text(&report, terminal_width())
    };
    if let Err(error) = output::print(text).await {
        tracing::error!(event = "not_printed", "{}", chain(&error));
        return NOT_WRITTEN.into();
    }
    exit_code(&report)
}

impl Arguments {
    fn filter(&self, report: &mut Report) {
        let subscriptions: Vec<_> = self.subscription.iter().map(SubscriptionName::new).collect();
        let of_any = |name: Option<&SubscriptionName>| {
            subscriptions.is_empty() || name.is_some_and(|name| subscriptions.contains(name))
        };
        let is_outcome = |name: &str| self.outcome.is_empty() || self.outcome.iter().any(|wanted| wanted == name);
        let is_message =
            |id: Option<&str>| self.message.is_empty() || self.message.iter().any(|wanted| Some(wanted.as_str()) == id);
        report.messages.retain(|report| {
            let id = report.message.message_id.as_ref().map(crate::message::MessageId::as_str);
            of_any(Some(&report.message.subscription)) && is_outcome((&report.outcome).into()) && is_message(id)
        });
        report.groups.retain(|report| {
            of_any(report.subscription.as_ref())
                && is_outcome((&report.outcome).into())
                && is_message(report.message_id.as_deref())
        });
    }
}

/// The table, then what it leaves out, then the sums.
fn text(report: &Report, width: Option<usize>) -> String {
    let mut messages: Vec<_> = report.messages.iter().collect();
    messages.sort_by_key(|report| (&report.message.subscription, report.enqueued_at, report.message.sequence_number));
    let rows: Vec<_> = messages
        .into_iter()
        .map(|message| {
            let cause = Cause::of(&message.outcome);
            let name: &'static str = (&message.outcome).into();
            let id = message.message.message_id.as_ref().map(ToString::to_string);
            vec![
                message.message.subscription.to_string(),
                id.unwrap_or_else(|| format!("#{}", message.message.sequence_number)),
                message.enqueued_at.map(|at| lasting(report.started_at - at)).unwrap_or_default(),
                name.to_owned(),
                cause.since.map(|since| since_text(since, report.started_at)).unwrap_or_default(),
                cause.attempt.map(|attempt| attempt.to_string()).unwrap_or_default(),
                cause.group.as_ref().map(ToString::to_string).unwrap_or_default(),
                cause.words(),
            ]
        })
        .collect();
    let mut parts = Vec::new();
    if !rows.is_empty() {
        parts.push(table(&HEAD, &rows, width) + "\n");
    }
    parts.extend(report.subscriptions.iter().filter_map(unread));
    parts.extend(report.unserved_subscriptions.iter().map(unserved));
    parts.extend(report.recipes());
    parts.push(report.sums());
    parts.push(format!("The container groups that are there have cost {} so far.", cost(report.cost)));
    parts.join("\n")
}

/// Today's times without the date.
fn since_text(since: OffsetDateTime, now: OffsetDateTime) -> String {
    let text = moment(since);
    if since.date() == now.date() {
        text.split_once('T').map_or(text.clone(), |(_, time)| time.to_owned())
    } else {
        text
    }
}

fn unread(subscription: &SubscriptionReport) -> Option<String> {
    let error = subscription.error.as_ref()?;
    let waiting = subscription.counts.map(|counts| format!(" It has {} messages.", counts.active_messages));
    Some(format!(
        "Subscription {} could not be read to its end: {error}.{}",
        subscription.name,
        waiting.unwrap_or_default()
    ))
}

fn unserved(UnservedReport { name, reason, counts }: &UnservedReport) -> String {
    let waiting = counts.map(|counts| format!(" It has {} messages.", counts.active_messages)).unwrap_or_default();
    format!("Subscription {name} is not served: {reason}.{waiting}")
}

/// How wide the terminal is, if there is one.
fn terminal_width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(stdout())?;
    (columns > 0).then(|| usize::from(columns))
}
