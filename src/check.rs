//! Says of each service whether the scaler can use it.

use std::fmt::Display;
use std::process::ExitCode;

use aci_scaler::azure::AzureServices;
use aci_scaler::services::{ContainerGroups, Messages, Peeker, Subscriptions};

/// Asks each service for the least that a pass needs of it, and prints what came of it.
#[expect(clippy::print_stdout, reason = "it is the command's result")]
pub async fn check(services: &AzureServices) -> ExitCode {
    let groups = services.groups.list().await.map(|groups| format!("{} are managed by this scaler", groups.len()));
    let names = services.subscriptions.list().await;
    let subscriptions = names.as_ref().map(|names| format!("the topic has {}", names.len()));
    let messages = peek(services, names.as_deref().unwrap_or_default()).await;

    let results = [line("Container groups", groups), line("Subscriptions", subscriptions), line("Messages", messages)];
    for (_, line) in &results {
        println!("{line}");
    }
    if results.iter().all(|(ok, _)| *ok) { ExitCode::SUCCESS } else { crate::FAILED.into() }
}

/// Peeks one message of each subscription.
async fn peek(services: &AzureServices, subscriptions: &[String]) -> Result<String, String> {
    let peeker = services.messages.connect().await.map_err(|error| error.to_string())?;
    let mut failures = Vec::new();
    for subscription in subscriptions {
        if let Err(error) = peeker.peek(subscription, 1, 1).await {
            failures.push(format!("{subscription}: {error}"));
        }
    }
    peeker.close().await;
    services.messages.close().await;
    if failures.is_empty() {
        Ok(format!("{} subscriptions can be peeked", subscriptions.len()))
    } else {
        Err(failures.join("; "))
    }
}

fn line(service: &str, result: Result<String, impl Display>) -> (bool, String) {
    match result {
        Ok(found) => (true, format!("{service}: ok, {found}.")),
        Err(error) => (false, format!("{service}: failed. {error}")),
    }
}
