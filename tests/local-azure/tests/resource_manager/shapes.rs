//! Answers have the shape of recorded ones: the same members with the same types, no more and no fewer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use local_azure::container_groups::{Behaviour, Exit, ExitsWhenTold, Job, Phase, Rule};
use local_azure::resource_manager::{Answer, Fault, OperationKind, ResourceManagerConfig, TopicSubscription};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{API, Azure, DEADLINE, GROUPS, Reply, config, group_path, recorded, usages_path};

/// `path: type` of every member; the items of an array have one path.
fn shape(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, into: &mut BTreeSet<String>) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(items) => {
                for item in items {
                    walk(item, &format!("{path}[]"), into);
                }
                "array"
            }
            Value::Object(members) => {
                for (name, member) in members {
                    walk(member, &format!("{path}.{name}"), into);
                }
                "object"
            }
        };
        into.insert(format!("{path}: {kind}"));
    }
    let mut shape = BTreeSet::new();
    walk(value, "", &mut shape);
    shape
}

/// Compares status, the names of the headers that must be there, and the body's shape.
#[track_caller]
fn assert_like(reply: &Reply, fixture: &str) {
    let recorded = recorded(fixture);
    assert_eq!(json!(reply.status), recorded["status"], "{fixture}");
    for name in recorded["headers"].as_object().unwrap().keys() {
        assert!(reply.headers.contains_key(name), "{fixture}: no header {name} in {:?}", reply.headers);
    }
    let body = if reply.body == json!("") { Value::Null } else { reply.body.clone() };
    assert_eq!(shape(&body), shape(&recorded["body"]), "{fixture}");
    assert_eq!(reply.body["error"]["code"], recorded["body"]["error"]["code"], "{fixture}");
}

/// The request for the recorded group.
fn asked() -> Value {
    let mut body = recorded("put-201-created")["body"].clone();
    for (parent, answered) in [
        ("", "id name type"),
        ("/properties", "provisioningState provisioningTimeoutInSeconds isCustomProvisioningTimeout"),
        ("/properties", "instanceView initContainers sku"),
        ("/properties/containers/0/properties", "command ports"),
    ] {
        let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        for key in answered.split(' ') {
            parent.remove(key).unwrap();
        }
    }
    body["properties"]["containers"][0]["properties"]["environmentVariables"][1]["secureValue"] = json!("canary");
    for identity in body["identity"]["userAssignedIdentities"].as_object_mut().unwrap().values_mut() {
        *identity = json!({});
    }
    body
}

#[tokio::test]
async fn a_group_is_shown_as_recorded_through_all_its_life() {
    let worker = ExitsWhenTold::new(Exit::Code(0));
    let azure = Azure::with_worker(worker.clone()).await;
    let put = azure.put("w-0001", &asked()).await;
    assert_like(&put, "put-201-created");
    azure.until_running("w-0001").await;
    assert_like(&azure.show("w-0001").await, "get-200-running");
    assert_like(&azure.get(put.header("azure-asyncoperation")).await, "asyncop-200-succeeded");
    worker.tell();
    azure.until_terminated("w-0001").await;
    assert_like(&azure.show("w-0001").await, "get-200-succeeded");
    assert_like(&azure.put("w-0001", &asked()).await, "put-200-updated");
    azure.until_running("w-0001").await;
    assert_like(&azure.delete("w-0001").await, "delete-200");
    assert_like(&azure.delete("w-0001").await, "delete-204-absent");
    assert_like(&azure.show("w-0001").await, "err-404-resource");
}

#[tokio::test]
async fn a_group_that_is_being_made_is_shown_as_recorded() {
    for (pending, pulling, phase, fixture) in [
        (DEADLINE, DEADLINE, Phase::Pending, "get-200-pending"),
        (DEADLINE / 1000, DEADLINE, Phase::Pulling, "get-200-waiting-pulling"),
    ] {
        let mut slow = config(|_: Job| async { 0 });
        (slow.pending, slow.pulling) = (pending, pulling);
        let azure = Azure::with(ResourceManagerConfig { container_groups: slow, ..Default::default() }).await;
        let put = azure.put("w-0001", &asked()).await;
        azure.until("w-0001", |now| now == phase).await;
        assert_like(&azure.show("w-0001").await, fixture);
        assert_like(&azure.logs("w-0001", "").await, "logs-404-not-available");
        assert_like(&azure.delete("w-0001").await, "err-409-transitioning");
        if phase == Phase::Pending {
            assert_like(&azure.get(put.header("azure-asyncoperation")).await, "asyncop-200-pending");
        }
    }
}

#[tokio::test]
async fn a_group_that_fails_is_shown_as_recorded() {
    for (behaviour, fixture) in [
        (Behaviour::ImagePullFails, "get-200-image-pull-failing"),
        (Behaviour::CapacityFails, "get-200-provisioning-failed"),
        (Behaviour::Exits(Exit::Code(1)), "get-200-failed-exit1"),
        (Behaviour::Exits(Exit::OutOfMemory), "get-200-failed-oom"),
    ] {
        let azure = Azure::start().await;
        azure.manager.container_groups().inject(Rule::always(behaviour.clone(), |_| true));
        let put = azure.put("w-0001", &asked()).await;
        azure.until("w-0001", |phase| phase.is_over() || phase == Phase::ImagePullBackOff).await;
        let shown = azure.show("w-0001").await;
        assert_like(&shown, fixture);
        let state = |group: &Value| {
            let container = &group["properties"]["containers"][0]["properties"]["instanceView"]["currentState"];
            let states = ["/properties/provisioningState", "/properties/instanceView/state"];
            (
                states.map(|at| group.pointer(at).cloned()),
                container["exitCode"].clone(),
                container["detailStatus"].clone(),
            )
        };
        assert_eq!(state(&shown.body), state(&recorded(fixture)["body"]), "{fixture}");
        if behaviour == Behaviour::CapacityFails {
            assert_like(&azure.get(put.header("azure-asyncoperation")).await, "asyncop-200-failed-capacity");
        }
    }
}

#[tokio::test]
async fn lists_logs_and_usages_are_as_recorded() {
    let azure = Azure::with(ResourceManagerConfig {
        container_groups: config(|job: Job| async move {
            job.log.line("hello");
            0
        }),
        page_size: 1,
        ..Default::default()
    })
    .await;
    assert_like(&azure.get(&format!("{GROUPS}?{API}")).await, "list-200-empty");
    for name in ["w-0001", "w-0002"] {
        azure.put(name, &asked()).await;
        azure.until_terminated(name).await;
    }
    assert_like(&azure.get(&format!("{GROUPS}?{API}")).await, "list-200-page1");
    assert_like(&azure.logs("w-0001", "").await, "logs-200");
    assert_like(&azure.get(&usages_path()).await, "usages-200");
}

#[tokio::test]
async fn subscriptions_of_a_topic_are_as_recorded() {
    let topics = |_: &str, topic: &str| {
        (topic == "jobs").then(|| vec![TopicSubscription::active("team-a", 7), TopicSubscription::active("team-b", 0)])
    };
    let azure = Azure::with(ResourceManagerConfig { topics: Arc::new(topics), ..Default::default() }).await;
    let path =
        GROUPS.replace("Microsoft.ContainerInstance/containerGroups", "Microsoft.ServiceBus/namespaces/sb-jobs/topics");
    let query = "api-version=2021-11-01";
    assert_like(&azure.get(&format!("{path}/jobs/subscriptions?{query}&$top=1")).await, "sb-subscriptions-200-page1");
    assert_like(&azure.get(&format!("{path}/jobs/subscriptions?{query}")).await, "sb-subscriptions-200-page2");
    assert_like(&azure.get(&format!("{path}/other/subscriptions?{query}")).await, "sb-err-404-namespace");
}

#[tokio::test]
async fn refusals_are_as_recorded() {
    let azure = Azure::start().await;
    let changed = |pointer: &str, value: Value| {
        let mut body = asked();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let resources = "/properties/containers/0/properties/resources";
    let credential = "/properties/imageRegistryCredentials/0";
    let limits = json!({ "requests": { "memoryInGB": 4, "cpu": 2 }, "limits": { "memoryInGB": 1.5, "cpu": 1 } });
    for (body, fixture) in [
        (changed(resources, json!({ "requests": { "cpu": 1 } })), "err-400-no-memory"),
        (changed(resources, limits), "err-400-limits"),
        (changed(resources, json!({ "requests": { "memoryInGB": 400, "cpu": 1 } })), "err-409-service-unavailable"),
        (changed(credential, json!({})), "err-400-request-content"),
        (changed(credential, json!({ "server": "s", "identity": "/other" })), "err-400-identity-missing"),
        (changed(credential, json!({ "server": "s" })), "err-400-identity-ambiguous"),
    ] {
        assert_like(&azure.put("w-0001", &body).await, fixture);
    }
    assert_like(&azure.get(GROUPS).await, "err-400-no-api-version");
    assert_like(&azure.get(&format!("{GROUPS}?api-version=2099-01-01")).await, "err-400-api-version");
    assert_like(&azure.get(&format!("{}?{API}", GROUPS.replace("rg-", "x-"))).await, "err-404-resource-group");
    azure.manager.identity().expire_all();
    assert_like(&azure.send(Method::GET, &group_path("w-0001"), None).await.unwrap(), "err-401-expired");
}

#[tokio::test]
async fn refusals_that_depend_on_what_is_there_are_as_recorded() {
    let azure = Azure::with_worker(ExitsWhenTold::new(Exit::Code(0))).await;
    azure.put("w-0001", &asked()).await;
    azure.until_running("w-0001").await;
    let mut changed = asked();
    changed["properties"]["restartPolicy"] = json!("Always");
    assert_like(&azure.put("w-0001", &changed).await, "err-400-immutable-update");
    let mut spot = asked();
    spot["properties"]["priority"] = json!("Spot");
    spot["properties"]["subnetIds"] = json!([{ "id": "/subnet" }]);
    assert_like(&azure.put("w-0002", &spot).await, "err-400-spot-network");
    let other = format!("{GROUPS}/w-0001/containers/worker2/logs?{API}");
    assert_like(&azure.get(&other).await, "logs-404-no-container");
    azure.manager.container_groups().plant(recorded("get-200-running")["body"].clone());
    assert_like(&azure.logs("w-0001", "").await, "logs-200-null");
}

#[tokio::test]
async fn answers_of_faults_are_as_recorded() {
    let azure = Azure::start().await;
    let wait = Duration::from_secs(7);
    for (answer, fixture) in [
        (Answer::throttled(wait), "err-429-arm"),
        (Answer::too_many_requests(wait), "err-429-aci"),
        (Answer::quota_reached(), "err-400-quota"),
        (Answer::service_unavailable(), "err-409-service-unavailable"),
        (Answer::forbidden("Microsoft.ContainerInstance/containerGroups/write"), "err-403-authorization"),
    ] {
        azure.manager.inject(Fault::once(OperationKind::PutGroup).answers(answer));
        assert_like(&azure.put("w-0001", &asked()).await, fixture);
    }
}

#[tokio::test]
async fn tokens_are_as_recorded() {
    let azure = Azure::start().await;
    for (query, fixture) in [("", "msi-200-token"), ("&client_id=unknown", "msi-400-identity")] {
        let endpoint = azure.manager.identity_endpoint();
        let url = format!("{endpoint}?api-version=2019-08-01&resource=https://management.azure.com{query}");
        let request = azure.http.get(url).header("x-identity-header", azure.manager.identity_header());
        let reply = crate::support::read(request.send().await.unwrap()).await.unwrap();
        assert_like(&reply, fixture);
    }
}
