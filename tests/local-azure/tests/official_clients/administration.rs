//! Administration of Service Bus: over HTTP, and of rules over AMQP.

use std::process::Command;

use local_azure::service_bus::{OutgoingMessage, ServiceBus, ServiceBusConfig, SubscriptionConfig};

use crate::judge::{in_javascript, in_python, judge};

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_is_satisfied_with_administration() {
    let Some(program) = in_python("administration.py") else { return };
    on_a_namespace(program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_client_is_satisfied_with_administration() {
    let Some(program) = in_javascript("administration.mjs") else { return };
    on_a_namespace(program).await;
}

/// Runs a program against a namespace of its own, and checks what it leaves there.
async fn on_a_namespace(mut program: Command) {
    let bus = ServiceBus::start(ServiceBusConfig::new()).await.expect("a free port");
    bus.create_topic("files").expect("a new topic");
    for name in ["all", "other"] {
        bus.create_subscription("files", SubscriptionConfig::new(name)).expect("a new subscription");
    }
    bus.publish("files", OutgoingMessage::new()).expect("the topic is there");
    let right = bus.connection_string();
    let wrong = right.replace("SharedAccessKey=", "SharedAccessKey=not-");
    program.args([right, wrong]);
    judge(program).await;

    let message = |size: i64, color: &str| OutgoingMessage::new().property("size", size).property("color", color);
    bus.publish_all("made", [message(10, "red"), message(1000, "red"), message(10, "blue")]).expect("it was made");
    let left: Vec<_> = bus.subscriptions("made").expect("it was made").into_iter().collect();
    let left: Vec<_> = left.iter().map(|found| (found.name.as_str(), found.active_messages)).collect();
    assert_eq!(left, [("by-rule", 2), ("plain", 3)], "the rules that were made decide what comes in");
}
