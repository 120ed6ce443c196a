//! Service Bus over AMQP.

use std::process::Command;

use local_azure::service_bus::{ServiceBus, ServiceBusConfig, SubscriptionConfig};

use crate::judge::{in_javascript, in_python, judge};

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_is_satisfied_with_service_bus() {
    let Some(program) = in_python("service_bus.py") else { return };
    on_a_namespace(program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_client_is_satisfied_with_service_bus() {
    let Some(program) = in_javascript("service_bus.mjs") else { return };
    on_a_namespace(program).await;
}

/// Runs a program against a namespace of its own.
async fn on_a_namespace(mut program: Command) {
    let bus = ServiceBus::start(ServiceBusConfig::new()).await.expect("a free port");
    bus.create_topic("files").expect("a new topic");
    for (name, lock_duration) in [("first", 30), ("second", 30), ("brief", 1)] {
        let lock_duration = time::Duration::seconds(lock_duration);
        let config = SubscriptionConfig { lock_duration, ..SubscriptionConfig::new(name) };
        bus.create_subscription("files", config).expect("a new subscription");
    }
    bus.create_topic("more").expect("a new topic");
    let strict = SubscriptionConfig {
        max_delivery_count: 2,
        dead_letter_on_expiration: true,
        ..SubscriptionConfig::new("strict")
    };
    let sessions = SubscriptionConfig { requires_session: true, ..SubscriptionConfig::new("sessions") };
    for config in [strict, sessions] {
        bus.create_subscription("more", config).expect("a new subscription");
    }
    let right = bus.connection_string();
    let wrong = right.replace("SharedAccessKey=", "SharedAccessKey=not-");
    program.args([right, wrong]);
    judge(program).await;
}
