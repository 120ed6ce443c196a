//! Containers next to the worker, identities, and properties that require each other.

use std::sync::{Arc, Mutex};

use local_azure::container_groups::{Behaviour, Exit, ExitsWhenTold, Job, Phase, Rule, StartFailure};
use serde_json::{Value, json};

use crate::support::{API, Azure, GROUPS, group, read};

const IDENTITY: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-workers/providers/\
                        Microsoft.ManagedIdentity/userAssignedIdentities/worker";
const CLIENT_ID: &str = "33333333-3333-3333-3333-333333333333";

/// A group with a sidecar before the worker, and two init containers.
fn crowd() -> Value {
    let requests = json!({ "requests": { "memoryInGB": 0.5, "cpu": 0.5 } });
    let sidecar = json!({ "name": "proxy", "properties": { "image": "example.com/proxy:1", "resources": requests } });
    let mut group = group();
    group["properties"]["initContainers"] = json!([
        { "name": "first", "properties": { "image": "example.com/first:1" } },
        { "name": "second", "properties": { "image": "example.com/second:1" } },
    ]);
    group["properties"]["containers"].as_array_mut().unwrap().insert(0, sidecar);
    group
}

/// A group whose worker has this property.
fn worker_with(name: &str, value: Value) -> Value {
    let mut group = group();
    group["properties"]["containers"][0]["properties"][name] = value;
    group
}

/// A container's state in the JSON of a GET.
fn state(group: &Value, list: &str, index: usize) -> Value {
    group["properties"][list][index]["properties"]["instanceView"]["currentState"].clone()
}

#[tokio::test]
async fn sidecars_run_on_when_the_worker_has_ended_and_init_containers_have_ended_before() {
    let azure = Azure::with_worker(ExitsWhenTold::new(Exit::Code(0))).await;
    assert_eq!(azure.put("w-1", &crowd()).await.status, 201);
    azure.until_running("w-1").await;
    let running = azure.show("w-1").await.body;
    for index in [0, 1] {
        assert_eq!(state(&running, "containers", index)["state"], "Running");
        assert_eq!(state(&running, "initContainers", index)["exitCode"], 0);
    }
    let groups = azure.manager.container_groups();
    assert!(groups.finish("w-1", Exit::Code(3)));
    let ended = azure.show("w-1").await.body;
    assert_eq!(state(&ended, "containers", 1)["exitCode"], 3, "the worker is the one of that name");
    assert_eq!(
        (&state(&ended, "containers", 0)["state"], &ended["properties"]["instanceView"]["state"]),
        (&json!("Running"), &json!("Running"))
    );
    assert!(groups.finish_sidecars("w-1", Exit::Code(0)));
    let over = azure.show("w-1").await.body;
    assert_eq!(
        (&state(&over, "containers", 0)["exitCode"], &over["properties"]["instanceView"]["state"]),
        (&json!(0), &json!("Failed"))
    );

    let log = |container: &'static str| {
        let path = format!("{GROUPS}/w-1/containers/{container}/logs?{API}");
        let azure = &azure;
        async move { azure.get(&path).await.body["content"].as_str().unwrap_or_default().to_owned() }
    };
    assert_eq!(log("proxy").await, "the sidecar proxy has begun\nthe sidecar proxy has ended\n");
    assert_eq!(log("second").await, "the init container second is done\n");
    assert_eq!(log("worker").await, "waiting to be told to exit\n");
    let listed = azure.get(&format!("{GROUPS}?{API}")).await.body;
    assert_eq!(state(&listed["value"][0], "initContainers", 0), Value::Null, "a list has no instance views");
}

#[tokio::test]
async fn an_init_container_that_fails_keeps_the_others_from_starting() {
    let azure = Azure::start().await;
    azure
        .manager
        .container_groups()
        .inject(Rule::always(Behaviour::StartFails(StartFailure::InitContainerFails), |_| true));
    azure.put("w-1", &crowd()).await;
    azure.until("w-1", |phase| matches!(phase, Phase::StartFails(_))).await;
    let group = azure.show("w-1").await.body;
    assert_eq!(state(&group, "initContainers", 0)["exitCode"], 1);
    assert_eq!(state(&group, "initContainers", 1)["state"], "Waiting");
    assert_eq!(state(&group, "containers", 1), json!({ "state": "Waiting", "detailStatus": "PodInitializing" }));
    let log = azure.get(&format!("{GROUPS}/w-1/containers/first/logs?{API}")).await;
    assert_eq!(log.body["content"], "the init container first has failed\n");
    assert_eq!(
        azure.get(&format!("{GROUPS}/w-1/containers/proxy/logs?{API}")).await.code(),
        (404, "ContainerLogNotAvailable")
    );
}

#[tokio::test]
async fn a_container_gets_tokens_of_its_groups_identities_and_of_no_others() {
    let jobs = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&jobs);
    let azure = Azure::with_worker(move |job: Job| {
        seen.lock().unwrap().push(job);
        async { 0 }
    })
    .await;
    let assigned = json!({ "type": "UserAssigned", "userAssignedIdentities": { IDENTITY: {} } });
    for (name, identity) in [("w-1", json!(null)), ("w-2", json!({ "type": "SystemAssigned" })), ("w-3", assigned)] {
        let mut group = crowd();
        group["properties"].as_object_mut().unwrap().remove("imageRegistryCredentials");
        if !identity.is_null() {
            group["identity"] = identity;
        }
        assert_eq!(azure.put(name, &group).await.status, 201);
        azure.until_terminated(name).await;
    }
    let jobs = jobs.lock().unwrap().clone();
    assert!(!jobs[0].environment.contains_key("IDENTITY_HEADER"), "it has no identity");
    for (job, query, expected) in
        [(&jobs[1], "", 200), (&jobs[1], CLIENT_ID, 400), (&jobs[2], "", 400), (&jobs[2], CLIENT_ID, 200)]
    {
        let client_id = if query.is_empty() { String::new() } else { format!("&client_id={query}") };
        let url = format!(
            "{}?api-version=2019-08-01&resource=https://servicebus.azure.net{client_id}",
            job.environment["IDENTITY_ENDPOINT"]
        );
        let asked = azure.http.get(url).header("X-IDENTITY-HEADER", &job.environment["IDENTITY_HEADER"]);
        let reply = read(asked.send().await.unwrap()).await.unwrap();
        assert_eq!(reply.status, expected, "{} {query}: {}", job.group, reply.body);
        if expected == 200 {
            let token = reply.body["access_token"].as_str().unwrap();
            assert!(azure.manager.identity().is_valid(token, "https://servicebus.azure.net"));
        }
    }
    let identity = azure.get(&format!("{IDENTITY}?api-version=2023-01-31")).await;
    assert_eq!((identity.status, &identity.body["properties"]["clientId"]), (200, &json!(CLIENT_ID)));
}

#[tokio::test]
async fn what_does_not_go_together_is_refused() {
    let azure = Azure::start().await;
    let share = |keys: Value| {
        let mut share = json!({ "shareName": "s", "storageAccountName": "a" });
        share.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        json!([{ "name": "v", "azureFile": share }])
    };
    let public = json!({ "type": "Public", "ports": [{ "port": 80 }] });
    let private = json!({ "type": "Private", "ports": [{ "port": 80 }] });
    let reference = json!([{ "name": "s", "identity": IDENTITY, "secretReferenceUri": "https://v" }]);
    let mount = json!([{ "name": "v", "mountPath": "/v" }]);
    let init = |name: &str| json!([{ "name": name, "properties": { "image": "i" } }]);
    let with = |pairs: &[(&str, Value)]| {
        let mut group = group();
        for (name, value) in pairs {
            group["properties"][*name] = value.clone();
        }
        group
    };
    for (body, code) in [
        (
            with(&[("priority", json!("Spot")), ("sku", json!("Confidential"))]),
            "SpotPriorityContainerGroupNotSupportedForSku",
        ),
        (
            with(&[("priority", json!("Spot")), ("ipAddress", public.clone())]),
            "SpotPriorityContainerGroupNotSupportedForInboundConnectivity",
        ),
        (
            with(&[("subnetIds", json!([{ "id": "/s" }])), ("ipAddress", public)]),
            "PublicIpAddressNotSupportedInVirtualNetwork",
        ),
        (with(&[("ipAddress", private)]), "PrivateIpAddressNotSupported"),
        (with(&[("dnsConfig", json!({ "nameServers": ["10.0.0.1"] }))]), "DnsConfigNotSupported"),
        (with(&[("volumes", share(json!({})))]), "MissingStorageAccountKey"),
        (with(&[("volumes", share(json!({ "storageAccountKeyReference": "s" })))]), "SecretReferenceNotFound"),
        (with(&[("volumes", json!([{ "name": "v" }]))]), "InvalidVolumeType"),
        (with(&[("secretReferences", reference)]), "InvalidSecretReferenceIdentity"),
        (with(&[("initContainers", init("worker"))]), "DuplicateContainerName"),
        (with(&[("initContainers", init("Fetch"))]), "InvalidContainerName"),
        (with(&[("initContainers", json!([{ "name": "fetch", "properties": {} }]))]), "MissingImage"),
        (worker_with("volumeMounts", mount), "VolumeNotFound"),
        (
            worker_with("environmentVariables", json!([{ "name": "A", "secureValueReference": "s" }])),
            "SecretReferenceNotFound",
        ),
    ] {
        let reply = azure.put("w-1", &body).await;
        assert_eq!(reply.code(), (400, code), "{body}");
    }
    assert_eq!(azure.manager.container_groups().groups(), []);
}
