//! Other actions: messages, exits, logs, reports, cut connections.

use std::time::Duration;

use local_azure::client::Client;
use local_azure::container_groups::{Exit, ExitsAtOnce, ExitsWhenTold, GroupSnapshot, Phase};
use local_azure::local::TOPIC;
use reqwest::Method;
use serde_json::json;

use crate::support::{Controlled, DEADLINE, GROUPS};

fn is_running(group: &GroupSnapshot) -> bool {
    matches!(group.phase, Phase::Running { .. }) && !group.log.is_empty()
}

#[tokio::test]
async fn messages_go_to_the_subscription_of_their_size() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let (status, sent) = controlled.post("/control/messages", &json!({ "size_mb": 120, "count": 3 })).await;
    assert_eq!((status, sent["ids"].as_array().unwrap().len()), (201, 3));
    let state = controlled.get("/control/state").await;
    let messages = |name: &str| {
        let mut subscriptions = state["subscriptions"].as_array().unwrap().iter();
        subscriptions.find(|subscription| subscription["name"] == name).unwrap()["messages"].clone()
    };
    assert_eq!([messages("51-200MB"), messages("1-50MB")], [json!(3), json!(0)]);
    for body in [json!({ "size_mb": 1, "count": 0 }), json!({ "size_mb": 1, "count": 10_001 }), json!({ "size": 1 })] {
        assert_eq!(controlled.post("/control/messages", &body).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn a_running_group_exits_as_it_is_told_and_its_log_outlives_it() {
    let controlled = Controlled::start(ExitsWhenTold::new(Exit::Code(0))).await;
    controlled.group("worker-1", &json!([]), is_running).await;
    let exit = "/control/container-groups/worker-1/exit";
    assert_eq!(controlled.post(exit, &json!({ "status": 9 })).await.0, 400);
    assert_eq!(controlled.post(exit, &json!({ "code": 9 })).await.0, 204);
    assert_eq!(controlled.post(exit, &json!({ "code": 9 })).await.0, 400, "it does not run any more");
    let shown = &controlled.get("/control/state").await["groups"][0];
    assert_eq!((&shown["state"], &shown["exit_code"], &shown["deleted"]), (&json!("failed"), &json!(9), &json!(null)));

    controlled.arm(Method::DELETE, &format!("{GROUPS}/worker-1"), None).await.unwrap();
    let shown = &controlled.get("/control/state").await["groups"][0];
    assert!(shown["deleted"].is_string(), "{shown}");
    let log = controlled.http.get(controlled.url("/control/container-groups/worker-1/log")).send().await.unwrap();
    assert_eq!(log.text().await.unwrap(), "waiting to be told to exit\n");
    assert_eq!(controlled.post("/control/container-groups/worker-2/exit", &json!({ "code": 9 })).await.0, 404);
    assert_eq!(controlled.send(Method::GET, "/control/container-groups/worker-2/log", None).await.0, 404);
}

#[tokio::test]
async fn a_report_is_among_the_passes_and_what_is_no_report_is_refused() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let report = json!({ "messages": [], "groups": [], "duration_ms": 5 });
    assert_eq!(controlled.post("/control/reports", &report).await.0, 201);
    assert_eq!(controlled.get("/control/state").await["passes"][0]["report"], report);
    let (status, refusal) = controlled.post("/control/reports", &json!({ "messages": [] })).await;
    assert_eq!(status, 400);
    assert!(refusal["error"].as_str().unwrap().contains("aci-scaler once --json"), "{refusal}");
}

#[tokio::test]
async fn connections_are_cut_in_the_middle_and_made_again() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let connection_string = controlled.azure.service_bus.connection_string();
    let mut client = Client::connect(&connection_string).await.unwrap();
    assert!(client.receive_one(TOPIC, "1-50MB", Duration::from_millis(1)).await.unwrap().is_none());
    assert_eq!(controlled.send(Method::DELETE, "/control/service-bus/connections", None).await.0, 204);
    assert!(client.receive_one(TOPIC, "1-50MB", DEADLINE).await.is_err());
    Client::connect(&connection_string).await.unwrap().close().await;
}

#[tokio::test]
async fn what_does_not_exist_is_answered_with_what_does() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    for (method, path) in [
        (Method::GET, "/control"),
        (Method::GET, "/control/fault"),
        (Method::POST, "/control/fault"),
        (Method::PUT, "/control/messages"),
    ] {
        let (status, refusal) = controlled.send(method, path, None).await;
        assert_eq!(status, 404);
        assert!(refusal["error"].as_str().unwrap().contains("POST /control/messages"), "{refusal}");
    }
}
