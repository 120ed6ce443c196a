//! Changes to container groups that bypass their service.

use local_azure::container_groups::{Exit, ExitsWhenTold, GroupSnapshot, Phase};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Controlled, GROUPS};

async fn controlled() -> Controlled {
    Controlled::start(ExitsWhenTold::new(Exit::Code(0))).await
}

fn is_running(group: &GroupSnapshot) -> bool {
    matches!(group.phase, Phase::Running { .. })
}

async fn shown(controlled: &Controlled, name: &str) -> Value {
    controlled.arm(Method::GET, &format!("{GROUPS}/{name}"), None).await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn tags_are_remediated() {
    let controlled = controlled().await;
    controlled.group("worker-1", &json!([]), is_running).await;
    let change = json!({ "change": { "drop": "file_size_mb" }, "groups": { "subscription": "1-50MB" } });
    let answer = controlled.post("/control/container-groups/remediation", &change).await;
    assert_eq!(answer, (200, json!({ "changed": 1 })));
    let tags = shown(&controlled, "worker-1").await["tags"].clone();
    assert_eq!(tags, json!({ "subscription_name": "1-50MB", "message_id": "of-worker-1" }));
}

#[tokio::test]
async fn a_group_is_shown_otherwise_made_older_and_deleted() {
    let controlled = controlled().await;
    let group = controlled.group("worker-1", &json!([]), is_running).await;
    let path = |what: &str| format!("/control/container-groups/worker-1{what}");
    let put = async |body| controlled.send(Method::PUT, &path("/provisioning-state"), Some(&body)).await.0;
    assert_eq!(put(json!("Unhealthy")).await, 204);
    assert_eq!(shown(&controlled, "worker-1").await["properties"]["provisioningState"], "Unhealthy");
    assert_eq!(put(json!(null)).await, 204);
    assert_eq!(shown(&controlled, "worker-1").await["properties"]["provisioningState"], "Succeeded");

    assert_eq!(controlled.post(&path("/age"), &json!({ "seconds": 3600 })).await.0, 204);
    let aged = controlled.azure.resource_manager.container_groups().group("worker-1").unwrap();
    assert_eq!(group.created - aged.created, time::Duration::hours(1));

    for (status, left) in [(204, 404), (404, 404)] {
        assert_eq!(controlled.send(Method::DELETE, &path(""), None).await.0, status);
        let get = controlled.arm(Method::GET, &format!("{GROUPS}/worker-1"), None).await.unwrap();
        assert_eq!(get.status(), left);
    }
    assert_eq!(put(json!("Unhealthy")).await, 404);
}

#[tokio::test]
async fn groups_are_planted() {
    let controlled = controlled().await;
    let group = json!({ "name": "other", "id": format!("{GROUPS}/other"), "tags": {}, "properties": {} });
    assert_eq!(controlled.post("/control/container-groups/planted", &group).await.0, 201);
    assert_eq!(shown(&controlled, "other").await, group);
    assert_eq!(controlled.post("/control/container-groups/planted", &json!({ "name": "other" })).await.0, 400);
    let foreign = json!({ "count": 120, "padding_bytes": 10 });
    assert_eq!(controlled.post("/control/container-groups/foreign", &foreign).await.0, 201);
    assert_eq!(controlled.azure.resource_manager.container_groups().groups().len(), 121);
    assert_eq!(controlled.post("/control/container-groups/foreign", &json!({ "count": 1_000_000 })).await.0, 400);
}

#[tokio::test]
async fn the_allowance_of_creates_and_deletes_changes() {
    let controlled = controlled().await;
    let limit = json!({ "per_5_minutes": 0, "per_hour": 300 });
    let path = "/control/resource-manager/rate-limit";
    assert_eq!(controlled.send(Method::PUT, path, Some(&limit)).await.0, 204);
    let refused = controlled.arm(Method::PUT, &format!("{GROUPS}/worker-1"), Some(&json!({}))).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(controlled.send(Method::PUT, path, Some(&json!({ "per_minute": 1 }))).await.0, 400);
}
