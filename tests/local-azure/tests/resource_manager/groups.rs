//! PUT, GET, PATCH, DELETE and logs.

use local_azure::container_groups::{Exit, ExitsWhenTold, Job, Phase};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{API, Azure, GROUPS, group, group_path, group_with};

const ENVIRONMENT: &str = "/properties/containers/0/properties/environmentVariables";

fn waiting() -> ExitsWhenTold {
    ExitsWhenTold::new(Exit::Code(0))
}

#[tokio::test]
async fn a_new_group_is_201_with_a_link_to_its_operation_and_no_retry_after() {
    let azure = Azure::start().await;
    let put = azure.put("w-1", &group()).await;
    assert_eq!(put.status, 201);
    assert_eq!(put.body["properties"]["provisioningState"], "Pending");
    assert_eq!(put.body["properties"]["instanceView"], json!({ "events": [], "state": "Pending" }));
    assert_eq!((put.header("retry-after"), put.header("location")), ("", ""));
    let operation = put.header("azure-asyncoperation").to_owned();
    assert!(operation.starts_with(azure.manager.endpoint()), "{operation}");
    assert!(operation.ends_with("?api-version=2018-06-01"), "{operation}");
    azure.until_terminated("w-1").await;
    assert_eq!(azure.get(&operation).await.body["status"], "Succeeded");
}

#[tokio::test]
async fn every_accepted_body_is_kept_byte_for_byte() {
    let azure = Azure::start().await;
    let body = serde_json::to_string_pretty(&group()).unwrap();
    let url = format!("{}{}", azure.manager.endpoint(), group_path("w-1"));
    let put = azure.http.put(url).bearer_auth(&azure.token).body(body.clone()).send().await.unwrap();
    assert_eq!(put.status(), 201);
    azure.put("w-2", &json!({})).await;
    let accepted = azure.manager.container_groups().accepted_puts();
    assert_eq!(accepted.len(), 1);
    assert_eq!((accepted[0].name.as_str(), accepted[0].created), ("w-1", true));
    assert_eq!(accepted[0].body, body.as_bytes());
}

#[tokio::test]
async fn secrets_reach_the_worker_and_nobody_else() {
    let azure =
        Azure::with_worker(|job: Job| async move { i32::from(job.environment["API_TOKEN"] != "canary-secret") }).await;
    let put = azure.put("w-1", &group()).await;
    let ended = azure.until_terminated("w-1").await;
    assert!(matches!(ended.phase, Phase::Terminated { exit: Exit::Code(0), .. }), "{ended:?}");
    assert!(ended.environment["API_TOKEN"].secure);
    let tags = json!({ "tags": { "a": "b" } });
    let patched = azure.send(Method::PATCH, &group_path("w-1"), Some(&tags)).await.unwrap();
    let shown =
        [put, azure.show("w-1").await, patched, azure.get(&format!("{GROUPS}?{API}")).await, azure.delete("w-1").await];
    for reply in shown {
        let text = reply.body.to_string();
        assert!(!text.contains("canary") && !text.contains("password"), "{text}");
        assert!(text.contains(r#"{"name":"API_TOKEN"}"#), "{text}");
    }
}

#[tokio::test]
async fn an_identical_put_changes_nothing() {
    let azure = Azure::with_worker(waiting()).await;
    azure.put("w-1", &group()).await;
    let before = azure.until_running("w-1").await;
    let again = azure.put("w-1", &group()).await;
    assert_eq!(again.status, 200);
    assert!(!again.header("azure-asyncoperation").is_empty());
    let after = azure.manager.container_groups().group("w-1").unwrap();
    assert_eq!((after.phase, after.runs, after.log), (before.phase, 1, before.log));
}

#[tokio::test]
async fn a_put_with_other_tags_only_does_not_restart() {
    let azure = Azure::with_worker(waiting()).await;
    azure.put("w-1", &group()).await;
    let before = azure.until_running("w-1").await;
    assert_eq!(azure.put("w-1", &group_with("/tags", json!({ "seen": "yes" }))).await.status, 200);
    let after = azure.manager.container_groups().group("w-1").unwrap();
    assert_eq!((after.phase, after.runs), (before.phase, 1));
    assert_eq!(after.tags["seen"], "yes");
}

#[tokio::test]
async fn a_changed_put_restarts_a_running_group() {
    let azure = Azure::with_worker(waiting()).await;
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    let put = azure.put("w-1", &group_with(ENVIRONMENT, json!([{ "name": "QUEUE", "value": "other" }]))).await;
    assert_eq!((put.status, &put.body["properties"]["provisioningState"]), (200, &json!("Pending")));
    let running = azure.until_running("w-1").await;
    assert_eq!((running.runs, running.environment["QUEUE"].value.as_str()), (2, "other"));
}

#[tokio::test]
async fn any_put_on_a_terminated_group_runs_it_again() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    azure.until_terminated("w-1").await;
    assert_eq!(azure.put("w-1", &group()).await.status, 200);
    azure.manager.container_groups().until(crate::support::DEADLINE, |groups| groups[0].runs == 2).await.unwrap();
}

#[tokio::test]
async fn what_a_group_keeps_for_life_cannot_be_changed_while_it_runs() {
    let azure = Azure::with_worker(waiting()).await;
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    let requests = "/properties/containers/0/properties/resources/requests";
    for (pointer, value) in [
        (requests, json!({ "memoryInGB": 2.0, "cpu": 1 })),
        (requests, json!({ "memoryInGB": 1.5, "cpu": 2 })),
        ("/properties/osType", json!("Windows")),
        ("/properties/restartPolicy", json!("OnFailure")),
    ] {
        let put = azure.put("w-1", &group_with(pointer, value)).await;
        assert_eq!(put.code(), (400, "InvalidContainerGroupUpdate"), "{pointer}");
    }
    let group = azure.manager.container_groups().group("w-1").unwrap();
    assert_eq!((group.memory_gb, group.runs), (1.5, 1));
}

#[tokio::test]
async fn a_patch_replaces_the_tags_and_nothing_else() {
    let azure = Azure::with_worker(waiting()).await;
    azure.put("w-1", &group()).await;
    let before = azure.until_running("w-1").await;
    let body = json!({ "tags": { "orphan_since": "2026-01-05T10:15:00Z" } });
    let patched = azure.send(Method::PATCH, &group_path("w-1"), Some(&body)).await.unwrap();
    assert_eq!((patched.status, &patched.body["tags"]), (200, &body["tags"]));
    let after = azure.manager.container_groups().group("w-1").unwrap();
    assert_eq!((after.phase, after.runs), (before.phase, 1));
    let absent = azure.send(Method::PATCH, &group_path("w-2"), Some(&body)).await.unwrap();
    assert_eq!(absent.code(), (404, "ResourceNotFound"));
    let wrong = azure.send(Method::PATCH, &group_path("w-1"), Some(&json!({ "tags": 1 }))).await.unwrap();
    assert_eq!(wrong.code(), (400, "InvalidRequestContent"));
}

#[tokio::test]
async fn a_delete_answers_with_the_last_body_and_a_second_one_with_nothing() {
    let azure = Azure::with_worker(waiting()).await;
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    let deleted = azure.delete("w-1").await;
    assert_eq!((deleted.status, &deleted.body["properties"]["instanceView"]["state"]), (200, &json!("Running")));
    let again = azure.delete("w-1").await;
    assert_eq!((again.status, again.body), (204, json!("")));
    assert_eq!(azure.show("w-1").await.code(), (404, "ResourceNotFound"));
}

#[tokio::test]
async fn runs_are_counted_by_name_across_deletions() {
    let azure = Azure::start().await;
    for _ in 0..2 {
        azure.put("w-1", &group()).await;
        azure.until_terminated("w-1").await;
        azure.delete("w-1").await;
    }
    assert_eq!(azure.manager.container_groups().runs("W-1"), 2);
    assert_eq!(azure.manager.container_groups().groups(), []);
}

#[tokio::test]
async fn logs_are_there_once_the_container_runs() {
    let told = waiting();
    let mut config = crate::support::config(told.clone());
    config.pulling = crate::support::DEADLINE;
    let azure = Azure::with(local_azure::resource_manager::ResourceManagerConfig {
        container_groups: config,
        ..Default::default()
    })
    .await;
    azure.put("w-1", &group()).await;
    azure.until("w-1", |phase| phase == Phase::Pulling).await;
    assert_eq!(azure.logs("w-1", "").await.code(), (404, "ContainerLogNotAvailable"));
    assert_eq!(azure.logs("w-2", "").await.code(), (404, "ResourceNotFound"));
    let other = azure.get(&format!("{GROUPS}/w-1/containers/other/logs?{API}")).await;
    assert_eq!(other.code(), (404, "ContainerNotFound"));
}

#[tokio::test]
async fn a_log_s_tail_is_its_last_lines() {
    let azure = Azure::with_worker(|job: Job| async move {
        for n in 0..30 {
            job.log.line(format!("line {n}"));
        }
        0
    })
    .await;
    azure.put("w-1", &group()).await;
    azure.until_terminated("w-1").await;
    assert_eq!(azure.logs("w-1", "&tail=2").await.body, json!({ "content": "line 28\nline 29\n" }));
    assert_eq!(azure.logs("w-1", "").await.body["content"].as_str().unwrap().lines().count(), 30);
    let stamped = azure.logs("w-1", "&tail=1&timestamps=true").await.body;
    assert!(stamped["content"].as_str().unwrap().ends_with("Z line 29\n"), "{stamped}");
    assert_eq!(azure.logs("w-1", "&tail=many").await.status, 400);
}

#[tokio::test]
async fn a_planted_group_is_shown_as_it_is() {
    let azure = Azure::start().await;
    let foreign = crate::support::recorded("get-200-unhealthy")["body"].clone();
    azure.manager.container_groups().plant(foreign.clone());
    assert_eq!(azure.show("w-0001").await.body, foreign);
    assert_eq!(azure.logs("w-0001", "").await.body, json!({ "content": Value::Null }));
    assert_eq!(azure.delete("w-0001").await.body, foreign);
}
