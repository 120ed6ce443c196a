//! Restarts the count of attempts at messages: tags the records of their last attempts, which the next pass reads.
//!
//! It lists the records and asks before it tags them, unless `--yes` is set.

mod choice;
mod question;

use std::process::ExitCode;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::from_app::App;
use super::output::{self, NOT_WRITTEN};
use super::printed_pass::{AzureScaler, pass};
use super::table::table;
use super::words::moment;
use super::{FAILED, PARTLY_FAILED, USAGE};
use crate::azure::AzureServices;
use crate::container_group::{GroupName, tag};
use crate::deadline::Deadline;
use crate::error::chain;
use crate::pass::Mode;
use crate::services::{ArmError, ContainerGroups};
use choice::{Choice, Record};
use question::Answer;

/// How many groups are read, or tagged, at once.
const AT_ONCE: usize = 8;

const HEAD: [&str; 6] = ["SUBSCRIPTION", "MESSAGE", "ATTEMPT", "GROUP", "ENDED", "REASON"];

#[derive(Clone, Debug, Default, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["message", "subscription", "parked"]))]
pub(super) struct Arguments {
    /// The message with this id; may be given several times
    #[arg(long, value_name = "ID")]
    message: Vec<String>,
    /// Messages of this subscription; may be given several times
    #[arg(long, value_name = "NAME")]
    subscription: Vec<String>,
    /// Only messages whose attempts are used up
    #[arg(long)]
    parked: bool,
    /// Do not ask before tagging
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) app: App,
}

pub(super) async fn retry(
    scaler: AzureScaler,
    services: &AzureServices,
    max_attempts: u32,
    arguments: &Arguments,
) -> ExitCode {
    let deadline = Deadline::after(scaler.pass_deadline());
    let report = match pass(scaler, Mode::PlanOnly, &deadline, "nothing can be retried").await {
        Ok(report) => report,
        Err(exit_code) => return exit_code,
    };
    let choice = Choice::of(services, &report, max_attempts, arguments).await;
    if !print(choice.text()).await {
        return NOT_WRITTEN.into();
    }
    if choice.records.is_empty() {
        return choice.exit_code();
    }
    match if arguments.yes { Answer::Yes } else { question::ask(choice.records.len()).await } {
        Answer::Yes => {}
        Answer::No => {
            print("Nothing was tagged.".to_owned()).await;
            return FAILED.into();
        }
        Answer::NobodyToAsk => {
            tracing::error!(
                event = "setting_error",
                "nothing was tagged: the standard input is not a terminal, so nobody can be asked; --yes tags without asking"
            );
            return USAGE.into();
        }
    }
    let refused = tag_all(services, &choice.records).await;
    let tagged = choice.records.len() - refused.len();
    let mut lines: Vec<_> = refused.iter().map(|(group, error)| format!("{group} was not tagged: {error}.")).collect();
    lines.push(format!(
        "{tagged} of {} records are tagged {}=true: the next pass restarts the counts of their messages.",
        choice.records.len(),
        tag::RETRY
    ));
    if !print(lines.join("\n")).await {
        return NOT_WRITTEN.into();
    }
    match refused.len() {
        0 => choice.exit_code(),
        _ if tagged == 0 => FAILED.into(),
        _ => PARTLY_FAILED.into(),
    }
}

/// Tags the records, and returns those that could not be tagged, with Azure's answers.
async fn tag_all<'a>(services: &AzureServices, records: &'a [Record]) -> Vec<(&'a GroupName, ArmError)> {
    let tagged = records.iter().map(|record| async move {
        let group = &record.group.name;
        (group, tag_one(services, group).await)
    });
    let answers: Vec<_> = stream::iter(tagged).buffered(AT_ONCE).collect().await;
    answers.into_iter().filter_map(|(group, answer)| Some((group, answer.err()?))).collect()
}

/// Reads the tags right before, because the request replaces all of them.
async fn tag_one(services: &AzureServices, group: &GroupName) -> Result<(), ArmError> {
    let Some(fresh) = services.groups.get(group).await? else {
        return Err(ArmError::unavailable("the group is gone"));
    };
    let mut tags = fresh.tags;
    // A policy may have written the name in another case, and Azure accepts it only once.
    tags.retain(|key, _| !key.eq_ignore_ascii_case(tag::RETRY));
    tags.insert(tag::RETRY.to_owned(), "true".to_owned());
    services.groups.tag(group, &tags).await
}

impl Choice {
    /// The records to tag, and the notes.
    fn text(&self) -> String {
        let rows: Vec<_> = self
            .records
            .iter()
            .map(|Record { subscription, message_id, group }| {
                let code = group.exit_code().map(|code| format!("exit code {code}"));
                let reason = code.into_iter().chain(group.cause()).collect::<Vec<_>>().join(", ");
                vec![
                    subscription.clone(),
                    message_id.clone(),
                    group.attempt().to_string(),
                    group.name.to_string(),
                    Record::ended_at(group).map(moment).unwrap_or_default(),
                    reason,
                ]
            })
            .collect();
        let records = (!rows.is_empty()).then(|| table(&HEAD, &rows, None));
        records.into_iter().chain(self.notes.clone()).collect::<Vec<_>>().join("\n")
    }

    fn exit_code(&self) -> ExitCode {
        if self.is_complete { ExitCode::SUCCESS } else { FAILED.into() }
    }
}

async fn print(text: String) -> bool {
    let printed = output::print(text).await;
    printed.inspect_err(|error| tracing::error!(event = "not_printed", "{}", chain(error))).is_ok()
}
