//! A local Azure in the state of a scenario.

use local_azure::local::{LocalAzure, LocalAzureConfig, RESOURCE_GROUP, SUBSCRIPTION_ID, TOPIC};
use local_azure::resource_manager::{Fault, OperationKind, RateLimit};
use local_azure::service_bus::{
    Call, CorrelationFilter, Effect, Fault as BusFault, Operation, OutgoingMessage, Rule, SubscriptionConfig,
};
use serde_json::{Value, json};

use crate::Result;
use crate::bound::{Calls, GROUPS_PAGE, Latency};
use crate::scenario::Scenario;

/// The property by which messages get into their subscription.
const TARGET: &str = "target";

/// An empty local Azure that limits no number of requests.
pub async fn start() -> Result<LocalAzure> {
    let mut config = LocalAzureConfig::default();
    config.resource_manager.rate_limit = RateLimit { per_5_minutes: usize::MAX, per_hour: usize::MAX };
    config.resource_manager.page_size = GROUPS_PAGE;
    config.resource_manager.container_groups.max_groups = u32::MAX;
    config.resource_manager.container_groups.max_cores = u32::MAX;
    Ok(LocalAzure::start(config).await?)
}

/// Creates the scenario's subscriptions.
pub fn subscribe(azure: &LocalAzure, scenario: &Scenario) -> Result<()> {
    for number in 0..scenario.subscriptions {
        let filter = CorrelationFilter::default().application(TARGET, name(number));
        let rules = vec![Rule::new(TARGET, filter)];
        let config = SubscriptionConfig { rules, ..SubscriptionConfig::new(name(number)) };
        azure.service_bus.create_subscription(TOPIC, config)?;
    }
    Ok(())
}

/// Adds the scenario's messages and groups.
pub fn populate(azure: &LocalAzure, scenario: &Scenario) -> Result<()> {
    let groups_each = scenario.running.checked_div(scenario.subscriptions).unwrap_or_default();
    let mut sequence_number = 0;
    for subscription in 0..scenario.subscriptions {
        let ids = (0..scenario.served + scenario.new).map(|number| {
            // If there are more served messages than groups, some messages share a group by their id.
            if number < scenario.served { format!("m{}", number % groups_each.max(1)) } else { format!("new{number}") }
        });
        let messages = ids.map(|id| {
            let message = OutgoingMessage::new().message_id(id).property(TARGET, name(subscription));
            message.property("file_size_mb", 128).body(vec![0; scenario.body_bytes])
        });
        azure.service_bus.publish_all(TOPIC, messages)?;
        for number in 0..groups_each {
            plant(azure, subscription, &format!("m{number}"), sequence_number + number + 1, "Running");
        }
        sequence_number += scenario.served + scenario.new;
    }
    if scenario.subscriptions == 0 {
        (0..scenario.running).for_each(|number| plant(azure, 0, &format!("m{number}"), number, "Running"));
    }
    for number in 0..scenario.terminal {
        let subscription = number % scenario.subscriptions.max(1);
        plant(azure, subscription, &format!("gone{number}"), sequence_number + number + 1, "Terminated");
    }
    Ok(())
}

/// Sets the latency of every answer.
pub fn delay(azure: &LocalAzure, latency: Latency) {
    use OperationKind as Kind;
    if latency == Latency::NONE {
        return;
    }
    let kinds = [
        (Kind::ListGroups, latency.list),
        (Kind::ListTopicSubscriptions, latency.list),
        (Kind::GetGroup, latency.get),
        (Kind::GetLogs, latency.get),
        (Kind::PutGroup, latency.write),
        (Kind::DeleteGroup, latency.write),
    ];
    for (kind, delay) in kinds {
        azure.resource_manager.inject(Fault::always(kind).delays(delay));
    }
    for operation in [Operation::Connect, Operation::PutToken, Operation::Attach, Operation::Peek] {
        azure.service_bus.inject(BusFault::new(operation, Effect::Delay(latency.service_bus)));
    }
}

/// Forgets the requests so far.
pub fn forget_calls(azure: &LocalAzure) {
    azure.resource_manager.forget_calls();
    azure.service_bus.clear_call_log();
}

/// The requests so far, without those for tokens of the managed identity: one a day is enough.
pub fn calls(azure: &LocalAzure) -> Result<Calls> {
    let mut calls = Calls::default();
    for call in azure.resource_manager.calls() {
        *match call.kind {
            OperationKind::ListGroups => &mut calls.group_lists,
            OperationKind::GetGroup => &mut calls.group_reads,
            OperationKind::PutGroup => &mut calls.puts,
            OperationKind::DeleteGroup => &mut calls.deletes,
            OperationKind::GetLogs => &mut calls.logs,
            OperationKind::ListTopicSubscriptions => &mut calls.subscription_lists,
            OperationKind::GetToken => continue,
            other => return Err(format!("nothing needs {other:?}").into()),
        } += 1;
    }
    for call in azure.service_bus.call_log() {
        *match call {
            Call::Connect => &mut calls.connects,
            Call::PutToken { .. } => &mut calls.tokens,
            Call::Attach { address, .. } if address == "$cbs" => continue,
            Call::Attach { .. } => &mut calls.attaches,
            Call::Peek { omit_body: true, .. } => &mut calls.peeks,
            other => return Err(format!("nothing needs {other:?}").into()),
        } += 1;
    }
    Ok(calls)
}

fn name(subscription: usize) -> String {
    format!("subscription-{subscription:04}")
}

/// A group as Azure shows it, about 2 KB of JSON.
fn plant(azure: &LocalAzure, subscription: usize, message_id: &str, sequence_number: usize, state: &str) {
    let group = format!("worker-{subscription:04}-{message_id}");
    let event = |name: &str| {
        json!({
            "count": 1, "name": name, "type": "Normal", "message": format!("{name} of image local/worker:latest"),
            "firstTimestamp": "2026-01-05T10:15:07Z", "lastTimestamp": "2026-01-05T10:15:07Z",
        })
    };
    let mut current = json!({ "state": state, "startTime": "2026-01-05T10:15:25.212Z", "detailStatus": "" });
    if state == "Terminated" {
        current["exitCode"] = 0.into();
        current["finishTime"] = "2026-01-05T10:17:40.884Z".into();
        current["detailStatus"] = "Completed".into();
    }
    let view: Value = json!({
        "restartCount": 0, "currentState": current, "events": [event("Pulling"), event("Pulled"), event("Started")],
    });
    azure.resource_manager.container_groups().plant(json!({
        "id": format!(
            "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/\
             Microsoft.ContainerInstance/containerGroups/{group}"
        ),
        "name": group,
        "type": "Microsoft.ContainerInstance/containerGroups",
        "location": "westeurope",
        "tags": {
            "managed_by": "worker", "message_id": message_id, "subscription_name": name(subscription),
            "file_size_mb": "128", "sequence_number": sequence_number.to_string(), "attempt": "1",
        },
        "properties": {
            "sku": "Standard", "provisioningState": "Succeeded", "osType": "Linux", "restartPolicy": "Never",
            "containers": [{ "name": "worker", "properties": {
                "image": "local/worker:latest", "command": [], "ports": [],
                "environmentVariables": [
                    { "name": "SUBSCRIPTION", "value": name(subscription) }, { "name": "SERVICE_BUS_CONNECTION_STRING" },
                ],
                "resources": { "requests": { "memoryInGB": 1.0, "cpu": 2.0 } },
                "instanceView": view,
            } }],
            "instanceView": { "events": [], "state": "Running" },
        },
    }));
}
