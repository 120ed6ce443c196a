//! Checks of Service Bus: each subscription, and whether its messages can be peeked.

use futures_util::future::join_all;
use tokio::time::Instant;

use super::finding::{Finding, in_time};
use crate::azure::AzureServices;
use crate::message::SubscriptionName;
use crate::pass::report::Grouped;
use crate::services::{ListedSubscription, ListedTopic, Messages as _, Peeker, Subscriptions as _};
use crate::settings::Settings;

const LIST_FAILED: &str = "Without the list a pass does nothing: see the permissions on the topic.";

pub(super) async fn findings(services: &AzureServices, settings: &Settings, until: Instant) -> Vec<Finding> {
    let topic = match in_time(until, services.subscriptions.list()).await {
        Ok(topic) => topic,
        Err(error) => {
            return vec![Finding::failure("subscriptions", error, LIST_FAILED), connection(services, until).await];
        }
    };
    let mut findings = vec![Finding::ok("subscriptions", about(&topic))];
    findings.extend(named_in_vain(&topic, settings));
    let is_skipped = |listed: &&ListedSubscription| settings.processing.skip_subscriptions.contains(&listed.name);
    let (is_partitioned, peeker) = (topic.is_partitioned, in_time(until, services.messages.connect()).await);
    let (of_namespace, is_skipped) = (&peeker, &is_skipped);
    let look_at = topic.subscriptions.iter().map(|listed| async move {
        match of_namespace {
            _ if is_skipped(&listed) => Finding::ok(what(&listed.name), "it is skipped"),
            Ok(peeker) => look_at(peeker, listed, is_partitioned, until).await,
            Err(_) => unserved(listed)
                .unwrap_or_else(|| Finding::warning(what(&listed.name), counts(listed), "No message was peeked.")),
        }
    });
    findings.extend(join_all(look_at).await);
    match peeker {
        Ok(peeker) => _ = tokio::time::timeout_at(until, peeker.close()).await,
        Err(error) => findings.push(unreachable(error)),
    }
    findings
}

/// Whether the namespace can be reached, if no subscription can be peeked.
async fn connection(services: &AzureServices, until: Instant) -> Finding {
    match in_time(until, services.messages.connect()).await {
        Ok(peeker) => {
            _ = tokio::time::timeout_at(until, peeker.close()).await;
            Finding::ok("Service Bus", "it can be reached; no message was peeked")
        }
        Err(error) => unreachable(error),
    }
}

fn unreachable(error: String) -> Finding {
    let to_do = "Without it a pass does nothing: check SB_CONNECTION_STR or SB_NAMESPACE, the namespace's firewall, and its state.";
    Finding::failure("Service Bus", error, to_do)
}

async fn look_at<P: Peeker>(peeker: &P, listed: &ListedSubscription, is_partitioned: bool, until: Instant) -> Finding {
    if let Some(finding) = unserved(listed) {
        return finding;
    }
    let name = &listed.name;
    if let Err(error) = in_time(until, peeker.peek(name, 1, 1)).await {
        let found = format!("it cannot be peeked: {error}; {}", counts(listed));
        let to_do = "Its messages get no container groups while this lasts.";
        return Finding::failure(what(name), found, to_do);
    }
    let order = match (listed.requires_session, is_partitioned) {
        (true, _) => ", with sessions, so that only a look-up shows that a message is gone",
        (_, true) => ", with partitions, so that only a look-up shows that a message is gone",
        _ => "",
    };
    Finding::ok(what(name), format!("it can be peeked, {}{order}", counts(listed)))
}

fn unserved(listed: &ListedSubscription) -> Option<Finding> {
    let reason = listed.unserved.as_ref()?;
    let to_do = "It cannot be peeked; if that is intended, name it in SKIP_SUBSCRIPTIONS.";
    Some(Finding::warning(what(&listed.name), format!("{reason}, {}", counts(listed)), to_do))
}

fn counts(listed: &ListedSubscription) -> String {
    listed.counts.map_or_else(
        || "its number of messages is unknown".to_owned(),
        |counts| format!("{} messages and {} dead letters", Grouped(counts.active), Grouped(counts.dead_letters)),
    )
}

fn about(topic: &ListedTopic) -> String {
    let partitioned = if topic.is_partitioned { ", and is partitioned" } else { "" };
    match topic.subscriptions.len() {
        0 => "the topic has none, so there is nothing to do".to_owned(),
        count => format!("the topic has {count}{partitioned}"),
    }
}

/// Subscriptions in the settings that do not exist.
fn named_in_vain(topic: &ListedTopic, settings: &Settings) -> Vec<Finding> {
    const SERVED: &str = "If the name is misspelt, the setting does not apply to the intended subscription.";
    let names: Vec<_> = topic.subscriptions.iter().map(|listed| listed.name.clone()).collect();
    let finding = |setting: &str, name: &dyn std::fmt::Display| {
        let found = format!("{setting} names {name}, but the topic has no such subscription");
        Finding::warning("subscriptions' names", found, SERVED)
    };
    let skipped = settings.processing.skipped_but_unknown(&names).into_iter();
    let mut findings: Vec<_> = skipped.map(|name| finding("SKIP_SUBSCRIPTIONS", name)).collect();
    let names: Vec<_> = names.iter().collect();
    let overridden = settings.group.overrides.matching_nothing(&names).into_iter();
    findings.extend(overridden.map(|pattern| finding("ACI_SUBSCRIPTION_OVERRIDES", &pattern)));
    findings
}

fn what(name: &SubscriptionName) -> String {
    format!("subscription {name}")
}
