//! Says of each service whether the scaler can read it.

use std::fmt::{self, Display};
use std::process::ExitCode;

use super::FAILED;
use super::output::{self, NOT_WRITTEN};
use crate::azure::AzureServices;
use crate::error::chain;
use crate::message::SubscriptionName;
use crate::services::{ContainerGroups, ListedSubscription, ListedTopic, Messages, Peeker, Subscriptions};
use crate::settings::Settings;

/// Asks each service for the least that a pass needs of it, and prints what came of it.
pub(super) async fn check(services: &AzureServices, settings: &Settings) -> ExitCode {
    let groups = services.groups.list().await.map(|groups| format!("{} are managed by this scaler", groups.len()));
    let topic = services.subscriptions.list().await.map(|topic| Topic::new(topic, settings));
    let messages = peek(services, topic.as_ref().ok().map(|topic| topic.served.as_slice())).await;
    let subscriptions = topic.as_ref().map(Topic::to_string);

    let results = [line("Container groups", groups), line("Subscriptions", subscriptions), line("Messages", messages)];
    let lines: Vec<_> = results.iter().map(|(_, line)| line.as_str()).collect();
    if let Err(error) = output::print(lines.join("\n")).await {
        tracing::error!(event = "not_printed", "{}", chain(&error));
        return NOT_WRITTEN.into();
    }
    if results.iter().all(|(ok, _)| *ok) { ExitCode::SUCCESS } else { FAILED.into() }
}

/// What is listed, by what a pass does about it.
#[derive(Debug, Default)]
struct Topic {
    served: Vec<SubscriptionName>,
    /// With the reasons.
    unserved: Vec<String>,
    skipped: Vec<SubscriptionName>,
}

impl Topic {
    fn new(listed: ListedTopic, settings: &Settings) -> Self {
        let mut topic = Self::default();
        for ListedSubscription { name, unserved, .. } in listed.subscriptions {
            match unserved {
                _ if settings.processing.skip_subscriptions.contains(&name) => topic.skipped.push(name),
                Some(reason) => topic.unserved.push(format!("{name}: {reason}")),
                None => topic.served.push(name),
            }
        }
        for name in settings.processing.skipped_in_vain(&topic.skipped) {
            tracing::warn!(event = "setting_warning", "SKIP_SUBSCRIPTIONS names {name}, and the topic has no such subscription");
        }
        topic
    }
}

impl Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { served, unserved, skipped } = self;
        write!(f, "the topic has {}", served.len() + unserved.len() + skipped.len())?;
        if !skipped.is_empty() {
            let names: Vec<_> = skipped.iter().map(SubscriptionName::as_str).collect();
            write!(f, ", of which {} are skipped ({})", skipped.len(), names.join(", "))?;
        }
        if !unserved.is_empty() {
            write!(f, ", of which {} cannot be served ({})", unserved.len(), unserved.join(", "))?;
        }
        Ok(())
    }
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
