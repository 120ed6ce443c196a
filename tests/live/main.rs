//! Tests every assumption of the scaler about Azure: `cargo test --test live`.
//!
//! The local Azure is always tested. A real account is tested too if `ACI_SCALER_LIVE_SUBSCRIPTION_ID`,
//! `ACI_SCALER_LIVE_LOCATION` and `ACI_SCALER_LIVE_TOKEN` name one. The run first prints the most that this can cost. All its
//! resources are in a resource group of its own, which it deletes in the end. It closes with a table and a report in JSON, and
//! fails if the local Azure answers differently from the list. `docs/assumptions.md` is generated from the same list.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]
#![allow(clippy::print_stdout, reason = "the table is what it is for")]

mod account;
mod assumption;
mod document;
mod ground;
mod groups;
mod messages;
mod report;

use std::process::ExitCode;

use aci_scaler::settings::{Environment as _, ProcessEnvironment};
use tokio::runtime::Runtime;

use account::{Account, LONGEST};
use assumption::Assumption;
use ground::Ground;
use report::{Answers, Report};

/// Test runners first request the names of tests, and then one of the tests.
const NAME: &str = "azure_answers_as_assumed";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            println!("{NAME}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    if filter.is_some_and(|filter| !NAME.contains(filter.as_str())) {
        return ExitCode::SUCCESS;
    }
    _ = rustls::crypto::ring::default_provider().install_default();
    Runtime::new().expect("a runtime").block_on(run())
}

async fn run() -> ExitCode {
    let environment = ProcessEnvironment::read();
    let assumptions = all();
    println!("{} assumptions about Azure", assumptions.len());
    assert!(account::bound() < 1.0, "a run costs less than a dollar");
    let local = ask(&Ground::local().await, &assumptions).await;
    let live = match Account::from_environment(&environment) {
        Ok(None) => None,
        Ok(Some(account)) => match on_account(&account, &assumptions).await {
            Ok(answers) => Some(answers),
            Err(problem) => {
                println!("the account could not be asked: {problem}");
                return ExitCode::FAILURE;
            }
        },
        Err(problem) => {
            println!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    let report = Report { assumptions: &assumptions, local, live };
    println!("{}", report.table());
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/live.json");
    std::fs::write(path, report.json()).expect("a report is written");
    println!("The report is in {path}.");
    let is_documented = document::check(&assumptions, environment.get("UPDATE_ASSUMPTIONS").is_some());
    println!("\ntest {NAME} ... {}", if report.holds_locally() && is_documented { "ok" } else { "FAILED" });
    if report.holds_locally() && is_documented { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn all() -> Vec<Assumption> {
    groups::all().into_iter().chain(messages::all()).collect()
}

async fn ask(ground: &Ground, assumptions: &[Assumption]) -> Answers {
    let mut answers = Answers::new();
    for assumption in assumptions {
        answers.insert(assumption.name, assumption.ask(ground).await);
    }
    answers
}

/// Tests a real account, and deletes the resources whatever happens, Ctrl-C included.
async fn on_account(account: &Account, assumptions: &[Assumption]) -> Result<Answers, String> {
    println!("{}", account.announcement());
    account.sweep().await?;
    let asked = async {
        let ground = account.set_up().await?;
        Ok(ask(&ground, assumptions).await)
    };
    let answers = tokio::select! {
        answers = asked => answers,
        _ = tokio::signal::ctrl_c() => Err("it was interrupted".to_owned()),
        () = tokio::time::sleep(LONGEST) => Err("it took too long".to_owned()),
    };
    account.take_down().await?;
    answers
}
