//! Messages in, container groups of the right size out, and deleted once they have finished.
//!
//! It runs on the local Azure, with the scaler under the local Functions host. If `AZURE_SUBSCRIPTION_ID` is set, it runs on the
//! Azure that the scaler's settings name, and expects a deployed scaler there.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod azure;
mod expected;
mod group;
mod options;
mod template;

use std::collections::BTreeMap;
use std::fmt::Debug;

use aci_scaler::settings::ProcessEnvironment;
use local_azure::client::Client;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use azure::Azure;
use expected::Expected;
use group::Group;
use options::Options;
use template::Template;

/// The groups of the messages, by message id.
type Groups = BTreeMap<String, Group>;

#[tokio::test]
async fn each_message_gets_a_group_of_its_size_that_goes_once_it_has_finished() {
    let environment = ProcessEnvironment::read();
    let azure = Azure::from_environment(&environment).await;
    let options = Options::from_environment(&environment, azure.is_local()).unwrap_or_else(|error| panic!("{error}"));
    let expected = send(&azure, &options).await;
    let seen = provisioned(&azure, &options, &expected).await;
    for message in &expected {
        message.check(&seen[&message.id], &azure.settings);
    }
    finished(&azure, &options, &seen).await;
    deleted(&azure, &options, &seen).await;
    azure.check_nothing_is_left();
}

/// Sends a message of each size.
async fn send(azure: &Azure, options: &Options) -> Vec<Expected> {
    let template = Template::read(&options.message_path).unwrap_or_else(|error| panic!("{error}"));
    let mut client = Client::connect(&azure.connection_string).await.unwrap();
    let mut expected = Vec::new();
    for (size, subscription) in &options.messages {
        let id = Uuid::new_v4().to_string();
        client.send(&azure.settings.service_bus.topic, [template.message(&id, *size)]).await.unwrap();
        expected.push(Expected { id, file_size_mb: *size, subscription: subscription.clone() });
    }
    client.close().await;
    expected
}

/// Waits until each message has a group.
async fn provisioned(azure: &Azure, options: &Options, expected: &[Expected]) -> Groups {
    let mut seen = Groups::new();
    poll(options, "every message has a container group", async || {
        azure.invoke_scaler().await;
        for group in azure.groups().await {
            if let Some(id) = group.message_id().filter(|id| expected.iter().any(|message| message.id == *id)) {
                let other = seen.insert(id.to_owned(), group.clone()).filter(|other| other.name != group.name);
                assert_eq!(other, None, "message {id} has two container groups");
            }
        }
        expected.iter().filter(|message| !seen.contains_key(&message.id)).map(Expected::to_string).collect()
    })
    .await;
    seen
}

/// Waits until each group is terminal. A deployed scaler may already have deleted it.
async fn finished(azure: &Azure, options: &Options, groups: &Groups) {
    poll(options, "every container group is terminal", async || {
        let mut running = Vec::new();
        for group in groups.values() {
            match azure.group(&group.name).await {
                Some(group) if !group.is_terminal() => running.push(format!("{} ({})", group.name, group.states())),
                None if azure.is_local() => panic!("{} is gone before a pass could have deleted it", group.name),
                Some(_) | None => {}
            }
        }
        running
    })
    .await;
}

/// Waits until each group is deleted.
async fn deleted(azure: &Azure, options: &Options, groups: &Groups) {
    poll(options, "every container group is deleted", async || {
        azure.invoke_scaler().await;
        let there = azure.groups().await.into_iter().map(|group| group.name);
        there.filter(|name| groups.values().any(|group| group.name == *name)).collect()
    })
    .await;
}

/// Polls until nothing is missing, for at most the time-out.
async fn poll<M: Debug>(options: &Options, goal: &str, mut missing: impl AsyncFnMut() -> Vec<M>) {
    let deadline = Instant::now() + options.timeout;
    loop {
        let missing = missing().await;
        if missing.is_empty() {
            return;
        }
        assert!(
            Instant::now() + options.poll_interval < deadline,
            "after {} s it is not so that {goal}; missing: {missing:?}",
            options.timeout.as_secs_f64(),
        );
        sleep(options.poll_interval).await;
    }
}
