//! Unusual topics and subscriptions, as Resource Manager shows them.

use local_azure::container_groups::{Exit, ExitsAtOnce};
use local_azure::local::TOPIC;
use local_azure::service_bus::{OutgoingMessage, PeekOrder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Controlled;

const TOPICS: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/local/providers/\
                      Microsoft.ServiceBus/namespaces/local/topics";

async fn shown(controlled: &Controlled, path: &str) -> Value {
    controlled.service_bus_arm(&format!("{TOPICS}/{path}")).await
}

#[tokio::test]
async fn a_subscription_can_be_disabled_forward_and_require_sessions() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let path = "/control/service-bus/subscriptions";
    for (body, status) in [
        (json!({ "name": "new", "status": "ReceiveDisabled" }), 201),
        (json!({ "name": "new", "forward_to": "archive" }), 204),
        (json!({ "name": "1-50MB", "requires_session": true }), 204),
        (json!({ "topic": "missing", "name": "new" }), 404),
        (json!({ "name": "new", "status": "Asleep" }), 400),
    ] {
        assert_eq!(controlled.post(path, &body).await.0, status, "{body}");
    }
    controlled.azure.service_bus.publish(TOPIC, OutgoingMessage::new().property("file_size_mb", 8)).unwrap();
    let new = shown(&controlled, "files/subscriptions/new").await["properties"].clone();
    assert_eq!((&new["status"], &new["forwardTo"]), (&json!("ReceiveDisabled"), &json!("archive")));
    assert_eq!(new["countDetails"]["activeMessageCount"], 1);
    let listed = shown(&controlled, "files/subscriptions").await["value"].clone();
    let small = listed.as_array().unwrap().iter().find(|listed| listed["name"] == "1-50MB").unwrap();
    assert_eq!(small["properties"]["requiresSession"], true);
    assert_eq!(controlled.post(path, &json!({ "name": "new", "forward_to": "" })).await.0, 204);
    assert_eq!(shown(&controlled, "files/subscriptions/new").await["properties"].get("forwardTo"), None);
}

#[tokio::test]
async fn a_topic_can_be_partitioned() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let path = "/control/service-bus/topics";
    let partitioned = async |topic: &str| shown(&controlled, topic).await["properties"]["enablePartitioning"].clone();
    assert_eq!(partitioned(TOPIC).await, false);
    let body = json!({ "name": TOPIC, "partitioning": { "ids": [4, 38], "order": "interleaved" } });
    assert_eq!(controlled.post(path, &body).await.0, 204);
    assert_eq!(partitioned(TOPIC).await, true);
    let partitioning = controlled.azure.service_bus.topic(TOPIC).unwrap().partitioning.unwrap();
    assert_eq!((partitioning.ids, partitioning.order), (vec![4, 38], PeekOrder::Interleaved));
    assert_eq!(controlled.post(path, &json!({ "name": "new", "partitioning": {} })).await.0, 201);
    assert_eq!(partitioned("new").await, true);
    assert_eq!(controlled.post(path, &json!({ "name": TOPIC })).await.0, 204);
    assert_eq!(partitioned(TOPIC).await, false);
    assert_eq!(controlled.post(path, &json!({ "name": "new", "partitioning": { "ids": [] } })).await.0, 400);
    assert_eq!(controlled.send(Method::GET, path, None).await.0, 404);
}
