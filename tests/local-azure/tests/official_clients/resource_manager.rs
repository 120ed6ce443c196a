//! Container instances and Service Bus, over Azure Resource Manager.

use std::process::Command;

use local_azure::container_groups::{Exit, ExitsWhenTold};
use local_azure::local::{LocalAzure, LocalAzureConfig, RESOURCE_GROUP, SUBSCRIPTION_ID, TOPIC};
use local_azure::service_bus::{OutgoingMessage, SubscriptionConfig};

use crate::judge::{in_javascript, in_python, judge};
use test_support::contract;

#[tokio::test(flavor = "multi_thread")]
async fn the_python_clients_are_satisfied_with_resource_manager() {
    let Some(program) = in_python("resource_manager.py") else { return };
    on_a_local_azure(program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_client_is_satisfied_with_resource_manager() {
    let Some(program) = in_javascript("resource_manager.mjs") else { return };
    on_a_local_azure(program).await;
}

/// Runs a program against a local Azure of its own, whose containers run until they are stopped.
async fn on_a_local_azure(mut program: Command) {
    let mut config = LocalAzureConfig::default();
    config.resource_manager.container_groups.worker = std::sync::Arc::new(ExitsWhenTold::new(Exit::Code(0)));
    config.resource_manager.page_size = 2;
    config.resource_manager.topic_page_size = 2;
    let azure = LocalAzure::start(config).await.expect("free ports");
    for name in ["large", "medium", "small"] {
        azure.service_bus.create_subscription(TOPIC, SubscriptionConfig::new(name)).expect("a new subscription");
    }
    azure.service_bus.publish(TOPIC, OutgoingMessage::new()).expect("the topic is there");
    program.args([
        azure.resource_manager.endpoint(),
        &azure.resource_manager.identity_endpoint(),
        azure.resource_manager.identity_header(),
        SUBSCRIPTION_ID,
        RESOURCE_GROUP,
        azure.service_bus.namespace(),
        TOPIC,
    ]);
    judge(program).await;
    contract::assert_followed(&azure.resource_manager.calls());
}
