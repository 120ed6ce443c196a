//! Says of each service whether the scaler can read it.

use std::fmt::Display;
use std::process::ExitCode;

use super::FAILED;
use super::output::{self, NOT_WRITTEN};
use crate::azure::AzureServices;
use crate::error::chain;
use crate::message::SubscriptionName;
use crate::services::{ContainerGroups, Messages, Peeker, Subscriptions};
use crate::settings::Settings;

/// Asks each service for the least that a pass needs of it, and prints what came of it.
pub(super) async fn check(services: &AzureServices, settings: &Settings) -> ExitCode {
    let groups = services.groups.list().await.map(|groups| format!("{} are managed by this scaler", groups.len()));
    let names = services.subscriptions.list().await;
    // As a pass does it.
    let is_skipped = |name: &SubscriptionName| settings.processing.skip_subscriptions.contains(name);
    let names = names.map(|names| names.into_iter().partition::<Vec<_>, _>(is_skipped));
    let subscriptions = names.as_ref().map(|(skipped, others)| {
        for name in settings.processing.skipped_in_vain(skipped) {
            tracing::warn!("SKIP_SUBSCRIPTIONS names {name}, and the topic has no such subscription");
        }
        let all = skipped.len() + others.len();
        if skipped.is_empty() {
            format!("the topic has {all}")
        } else {
            let names: Vec<_> = skipped.iter().map(SubscriptionName::as_str).collect();
            format!("the topic has {all}, of which {} are skipped ({})", skipped.len(), names.join(", "))
        }
    });
    let messages = peek(services, names.as_ref().ok().map(|(_, others)| others.as_slice())).await;

    let results = [line("Container groups", groups), line("Subscriptions", subscriptions), line("Messages", messages)];
    let lines: Vec<_> = results.iter().map(|(_, line)| line.as_str()).collect();
    if let Err(error) = output::print(lines.join("\n")).await {
        tracing::error!("{}", chain(&error));
        return NOT_WRITTEN.into();
    }
    if results.iter().all(|(ok, _)| *ok) { ExitCode::SUCCESS } else { FAILED.into() }
}

/// Peeks one message of each subscription, if they are known.
async fn peek(services: &AzureServices, subscriptions: Option<&[SubscriptionName]>) -> Result<String, String> {
    let peeker = services.messages.connect().await.map_err(|error| error.to_string())?;
    let mut failures = Vec::new();
    for subscription in subscriptions.unwrap_or_default() {
        if let Err(error) = peeker.peek(subscription, 1, 1).await {
            failures.push(format!("{subscription}: {error}"));
        }
    }
    peeker.close().await;
    services.messages.close().await;
    match subscriptions {
        None => Err("Nothing was peeked: the subscriptions are not known".to_owned()),
        Some(_) if !failures.is_empty() => Err(failures.join("; ")),
        Some([]) => Ok("but nothing was peeked: there is no subscription to look at".to_owned()),
        Some(all) => Ok(format!("{} subscriptions can be peeked", all.len())),
    }
}

fn line(service: &str, result: Result<String, impl Display>) -> (bool, String) {
    match result {
        Ok(found) => (true, format!("{service}: ok, {found}.")),
        Err(error) => (false, format!("{service}: failed. {error}")),
    }
}
