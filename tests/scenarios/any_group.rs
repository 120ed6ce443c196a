//! Container groups with everything that Azure accepts beside a worker: created as the settings say, and the same every time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use local_azure::clock;
use local_azure::container_groups::{Behaviour, Exit, ExitsWhenTold, Rule, StartFailure};
use local_azure::local::{LocalAzureConfig, TOPIC, WORKERS_IDENTITY as IDENTITY};
use local_azure::resource_manager::OperationKind::{DeleteGroup, GetIdentity, GetLogs, PutGroup};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{World, counts, message, messages};

const SUBNET: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/local/providers/\
                      Microsoft.Network/virtualNetworks/net/subnets/workers";

/// The body of the only PUT, and the api-version that it was sent in.
fn put(world: &World) -> (Value, String) {
    let puts: Vec<_> = world.azure.resource_manager.calls().into_iter().filter(|call| call.kind == PutGroup).collect();
    let [put] = &puts[..] else { panic!("there is one PUT: {puts:#?}") };
    assert_eq!(put.status, Some(201), "{}", String::from_utf8_lossy(put.answer.as_deref().unwrap_or_default()));
    (serde_json::from_slice(&put.body).unwrap(), put.uri.rsplit('=').next().unwrap().to_owned())
}

/// What is sent for one message about 128 MB, given this template.
async fn put_with(template: &Value) -> (Value, String) {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_GROUP_TEMPLATE", template.to_string());
    world.send("a", messages("m", 1));
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1)]), "{pass:#?}");
    put(&world)
}

#[tokio::test]
async fn without_a_template_a_group_is_what_it_was() {
    let (body, version) = {
        let world = World::new(&["a"]).await;
        world.send("a", messages("m", 1));
        world.pass().await;
        put(&world)
    };
    assert_eq!(version, "2023-05-01");
    let properties: Vec<_> = body["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(properties, ["containers", "osType", "restartPolicy"]);
    assert!(body.get("identity").is_none(), "{body}");
}

/// Each class of properties, by itself: (name, template, the API version that it needs).
fn classes() -> Vec<(&'static str, Value, &'static str)> {
    let identity = json!({ "type": "UserAssigned", "userAssignedIdentities": { IDENTITY: {} } });
    let secret =
        json!({ "name": "s", "identity": IDENTITY, "secretReferenceUri": "https://v.vault.azure.net/secrets/s" });
    let sidecar = json!({ "name": "proxy", "properties": {
        "image": "example.com/proxy:1", "ports": [{ "port": 8080, "protocol": "TCP" }],
        "resources": { "requests": { "cpu": 0.25, "memoryInGB": 0.5 }, "limits": { "cpu": 1, "memoryInGB": 1 } } } });
    let worker = |properties: Value| json!({ "name": "worker", "properties": properties });
    let properties = |properties: Value| json!({ "properties": properties });
    vec![
        ("identity", json!({ "identity": identity }), "2023-05-01"),
        ("zones", json!({ "zones": ["1"] }), "2023-05-01"),
        (
            "subnet and names",
            properties(json!({ "subnetIds": [{ "id": SUBNET }], "dnsConfig": { "nameServers": ["10.0.0.10"] } })),
            "2023-05-01",
        ),
        (
            "diagnostics",
            properties(json!({ "diagnostics": { "logAnalytics": { "workspaceId": "w", "workspaceKey": "k" } } })),
            "2023-05-01",
        ),
        (
            "volumes",
            properties(json!({
                "volumes": [
                    { "name": "share", "azureFile": { "shareName": "s", "storageAccountName": "a", "storageAccountKey": "k" } },
                    { "name": "scratch", "emptyDir": {} }, { "name": "key", "secret": { "file": "c2VjcmV0" } },
                    { "name": "code", "gitRepo": { "repository": "https://example.com/r.git" } },
                ],
                "containers": [worker(json!({ "volumeMounts": [{ "name": "share", "mountPath": "/data", "readOnly": true }] }))],
            })),
            "2023-05-01",
        ),
        (
            "init containers",
            properties(json!({ "initContainers": [
            { "name": "fetch", "properties": { "image": "example.com/fetch:1", "command": ["fetch"], "environmentVariables": [{ "name": "A", "secureValue": "s" }] } },
        ] })),
            "2023-05-01",
        ),
        ("sidecars", properties(json!({ "containers": [sidecar] })), "2023-05-01"),
        (
            "the worker's own",
            properties(json!({ "containers": [worker(json!({
            "command": ["/work", "--once"],
            "environmentVariables": [{ "name": "MODE", "value": "fast" }, { "name": "KEY", "secureValue": "k" }],
            "livenessProbe": { "exec": { "command": ["true"] }, "periodSeconds": 5 },
            "readinessProbe": { "httpGet": { "port": 80, "path": "/", "scheme": "http" } },
            "securityContext": { "privileged": false, "capabilities": { "drop": ["ALL"] }, "runAsUser": 1000 },
        }))] })),
            "2023-05-01",
        ),
        ("spot", properties(json!({ "priority": "Spot" })), "2023-05-01"),
        (
            "confidential",
            properties(json!({ "sku": "Confidential", "confidentialComputeProperties": { "ccePolicy": "eyJ9" } })),
            "2023-05-01",
        ),
        (
            "extensions",
            properties(json!({ "extensions": [
            { "name": "kube-proxy", "properties": { "extensionType": "kube-proxy", "version": "1.0", "settings": { "a": 1 }, "protectedSettings": { "b": "c" } } },
        ] })),
            "2023-05-01",
        ),
        (
            "encryption",
            properties(
                json!({ "encryptionProperties": { "vaultBaseUrl": "https://v", "keyName": "k", "keyVersion": "1" } }),
            ),
            "2023-05-01",
        ),
        (
            "registries",
            properties(
                json!({ "imageRegistryCredentials": [{ "server": "example.com", "username": "u", "password": "p" }] }),
            ),
            "2023-05-01",
        ),
        (
            "key vault",
            json!({ "identity": identity, "properties": {
            "secretReferences": [secret],
            "imageRegistryCredentials": [{ "server": "example.com", "username": "u", "passwordReference": "s" }],
            "volumes": [
                { "name": "share", "azureFile": { "shareName": "s", "storageAccountName": "a", "storageAccountKeyReference": "s" } },
                { "name": "key", "secretReference": { "file": "s" } },
            ],
            "containers": [worker(json!({ "environmentVariables": [{ "name": "API_KEY", "secureValueReference": "s" }] }))],
        } }),
            "2025-09-01",
        ),
        (
            "config map",
            properties(json!({ "containers": [worker(json!({ "configMap": { "keyValuePairs": { "a": "b" } } }))] })),
            "2025-09-01",
        ),
    ]
}

/// Every property of a template is in the request.
pub fn assert_holds(sent: &Value, template: &Value, at: &str) {
    match template {
        Value::Object(template) => {
            for (name, value) in template {
                assert_holds(&sent[name], value, &format!("{at}.{name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                let is_there = sent.as_array().unwrap().iter().any(|sent| {
                    item["name"].is_null() && sent == item || !item["name"].is_null() && sent["name"] == item["name"]
                });
                assert!(is_there, "{at}: {item} is not in {sent}");
                if let Some(same) =
                    sent.as_array().unwrap().iter().find(|sent| !item["name"].is_null() && sent["name"] == item["name"])
                {
                    assert_holds(same, item, at);
                }
            }
        }
        value => assert_eq!(sent, value, "{at}"),
    }
}

#[tokio::test]
async fn each_class_of_properties_goes_through_in_the_lower_version_that_knows_it() {
    for (class, template, version) in classes() {
        let (body, sent_in) = put_with(&template).await;
        assert_eq!(sent_in, version, "{class}");
        assert_holds(&body, &template, class);
        let worker = &body["properties"]["containers"][0];
        assert_eq!(worker["name"], "worker", "{class}: the worker comes first");
        assert_eq!(worker["properties"]["image"], "local/worker:latest", "{class}");
        assert_eq!(worker["properties"]["resources"]["requests"], json!({ "cpu": 2.0, "memoryInGB": 1.0 }), "{class}");
        let names =
            worker["properties"]["environmentVariables"].as_array().unwrap().iter().map(|variable| &variable["name"]);
        let names: Vec<_> = names.filter_map(Value::as_str).collect();
        assert!(
            ["SUBSCRIPTION", "SERVICE_BUS_CONNECTION_STRING", "TOPIC"].iter().all(|name| names.contains(name)),
            "{class}: {names:?}"
        );
        assert_eq!(
            (&body["properties"]["osType"], &body["properties"]["restartPolicy"]),
            (&json!("Linux"), &json!("Never"))
        );
        assert_eq!((&body["location"], &body["tags"]["message_id"]), (&json!("westeurope"), &json!("m1")));
    }
}

#[tokio::test]
async fn all_of_it_together_is_the_same_request_from_every_process_and_changes_nothing() {
    let mut template = json!({});
    for (class, one, _) in classes() {
        // Spot excludes subnets and other SKUs, and each name may be there only once.
        if !["spot", "volumes", "the worker's own", "config map", "registries"].contains(&class) {
            merge(&mut template, one);
        }
    }
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let mut world = World::new(&["a"]).await;
        world.set("ACI_GROUP_TEMPLATE", template.to_string());
        world.set("SB_CONNECTION_STR", world.azure.service_bus.connection_string());
        world.set("INSTANCE_SERVICE_BUS_CONNECTION_STRING", "the same");
        world.send("a", messages("m", 1));
        world.pass().await;
        world.until_all_are_running().await;
        let pass = world.pass().await;
        assert_eq!(pass.messages(), counts([("running", 1)]), "{pass:#?}");
        let accepted = world.azure.resource_manager.container_groups().accepted_puts();
        bodies.push(String::from_utf8(accepted[0].body.clone()).unwrap());
        let again = reput(&world, &accepted[0].name, &accepted[0].body).await;
        assert_eq!(again, 200, "the same body is taken, and");
        assert_eq!(world.azure.resource_manager.container_groups().runs(&accepted[0].name), 1, "restarts nothing");
    }
    let [first, second] = &bodies[..] else { panic!() };
    assert_eq!(first, second);
}

fn merge(into: &mut Value, other: Value) {
    match (into, other) {
        (Value::Object(into), Value::Object(other)) => {
            for (name, value) in other {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(other)) => into.extend(other),
        (into, other) => *into = other,
    }
}

/// Sends a body once more, as another process would.
async fn reput(world: &World, name: &str, body: &[u8]) -> u16 {
    let calls = world.azure.resource_manager.calls();
    let uri =
        calls.iter().find(|call| call.kind == PutGroup && call.name.as_deref() == Some(name)).unwrap().uri.clone();
    let token = world.azure.resource_manager.identity().issue("https://management.azure.com", Duration::from_mins(1));
    let address = world.azure.resource_manager.endpoint().strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "PUT {uri} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_settings_for_the_common_cases_do_what_they_say() {
    let mut world = World::new(&["a"]).await;
    for (name, value) in [
        ("ACI_IDENTITY", IDENTITY),
        ("ACI_SUBNET_ID", SUBNET),
        ("ACI_TAGS", "team=maps,cost-centre=42"),
        ("ACI_LOG_ANALYTICS_WORKSPACE_ID", "00000000-0000-0000-0000-000000000009"),
        ("ACI_LOG_ANALYTICS_WORKSPACE_KEY", "a2V5"),
        ("ACR_SERVER", "example.azurecr.io"),
        ("ACI_IMAGE", "example.azurecr.io/worker:1"),
        ("ACR_IDENTITY", &IDENTITY.to_uppercase().replace("/RESOURCEGROUPS/", "/resourceGroups/")),
    ] {
        world.set(name, value);
    }
    world.send("a", messages("m", 2));
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 2)]), "{pass:#?}");
    assert_eq!(world.calls_of(GetIdentity), 1, "the client id is asked for once");
    let group = world.group_of("m1");
    let client_id = "33333333-3333-3333-3333-333333333333";
    assert_eq!(group.environment["AZURE_CLIENT_ID"].value, client_id);
    assert!(!group.environment["AZURE_CLIENT_ID"].secure, "it is no secret");
    assert_eq!((&group.tags["team"][..], &group.tags["cost-centre"][..]), ("maps", "42"));
    let shown = json!({ "principalId": "22222222-2222-2222-2222-222222222222", "clientId": client_id });
    assert_eq!(
        group.json["identity"],
        json!({ "type": "UserAssigned", "userAssignedIdentities": { IDENTITY: shown } })
    );
    assert_eq!(group.json["properties"]["subnetIds"], json!([{ "id": SUBNET }]));
    let workspace = json!({ "logAnalytics": { "workspaceId": "00000000-0000-0000-0000-000000000009" } });
    assert_eq!(group.json["properties"]["diagnostics"], workspace);
}

#[tokio::test]
async fn a_template_is_read_from_a_file_of_the_working_directory_and_refused_with_its_places() {
    let mut world = World::new(&["a"]).await;
    std::fs::write(world.folder().join("group.json"), r#"{"id": "x", "zones": ["2"]}"#).unwrap();
    world.set("ACI_GROUP_TEMPLATE", "group.json");
    world.send("a", messages("m", 1));
    let pass = world.pass().await;
    assert!(
        pass.log.contains("id is left out of the template of container groups: only Azure sets it"),
        "{}",
        pass.log
    );
    assert_eq!(put(&world).0["zones"], json!(["2"]));
    world.set(
        "ACI_GROUP_TEMPLATE",
        r#"{"properties": {"osType": "Windows", "priority": "Spot", "subnetIds": [{"id": "canary"}]}}"#,
    );
    let refused = world.run(&["once"]).await;
    assert_eq!(refused.exit_code, 64, "{refused:#?}");
    for place in ["properties.osType: ", "properties.subnetIds: "] {
        assert!(refused.log.contains(place), "{place} {}", refused.log);
    }
    assert!(!refused.log.contains("canary"), "{}", refused.log);
}

#[tokio::test]
async fn subscriptions_have_their_own_image_size_and_template_and_plan_says_so() {
    let mut world = World::new(&["small", "large"]).await;
    world.set("ACI_GROUP_TEMPLATE", json!({ "tags": { "team": "maps", "tier": "any" } }).to_string());
    world.set(
        "ACI_SUBSCRIPTION_OVERRIDES",
        json!({
            "*": { "max_memory_gb": 2, "cpu": 1 },
            "Lar*": {
                "image": "example.com/large:1", "cpu_multiplier": 3, "max_cpu": 4, "max_memory_gb": 60,
                "memory_multiplier": 16, "min_memory_gb": 1,
                "template": { "tags": { "tier": null, "size": "large" } },
            },
            "nobody": { "max_instances": 1 },
        })
        .to_string(),
    );
    world.send("small", [message("s", 1024)]);
    world.send("large", [message("l", 512)]);
    let plan = world.run(&["plan", "--json"]).await;
    assert!(
        plan.log.contains("ACI_SUBSCRIPTION_OVERRIDES names nobody, but the topic has no such subscription"),
        "{}",
        plan.log
    );
    let report = plan.report();
    let planned: BTreeMap<_, _> = report["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            (
                message["message_id"].as_str().unwrap(),
                json!([message["image"], message["cpu"], message["memory_gb"], message["overrides"]]),
            )
        })
        .collect();
    assert_eq!(planned["s"], json!(["local/worker:latest", 1.0, 2.0, ["*"]]));
    assert_eq!(planned["l"], json!(["example.com/large:1", 1.5, 8.0, ["Lar*", "*"]]));

    let text = world.run(&["plan"]).await.output;
    for sentence in [
        "1 of the new container groups would be made by the overrides of *, from local/worker:latest.",
        "1 of the new container groups would be made by the overrides of Lar*, *, from example.com/large:1.",
    ] {
        assert!(text.contains(sentence), "{text}");
    }

    world.pass().await;
    let (small, large) = (world.group_of("s"), world.group_of("l"));
    assert_eq!((&small.image[..], small.cpu, small.memory_gb), ("local/worker:latest", 1.0, 2.0));
    assert_eq!((&large.image[..], large.cpu, large.memory_gb), ("example.com/large:1", 1.5, 8.0));
    assert_eq!((small.tags.get("tier").map(String::as_str), small.tags.get("size")), (Some("any"), None));
    assert_eq!((large.tags.get("tier"), large.tags.get("size").map(String::as_str)), (None, Some("large")));
    assert_eq!(large.tags["team"], "maps");
}

#[tokio::test]
async fn the_cap_of_a_subscription_holds_inside_the_cap_of_all_and_the_others_share_the_rest() {
    let mut world = World::new(&["a", "b", "c"]).await;
    world.set("ACI_MAX_INSTANCES", "7");
    world.set("ACI_SUBSCRIPTION_OVERRIDES", r#"{"a": {"max_instances": 1}, "c": {"max_instances": 0}}"#);
    for subscription in ["a", "b", "c"] {
        world.send(subscription, messages(subscription, 5));
    }
    let groups_in = |world: &World, name: &str| {
        world.groups().iter().filter(|group| group.tags["subscription_name"] == name).count()
    };
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 6), ("waiting_capacity", 9)]), "{pass:#?}");
    assert_eq!(["a", "b", "c"].map(|name| groups_in(&world, name)), [1, 5, 0]);
    world.until_all_are_running().await;
    world.pass().await;
    assert_eq!(["a", "b", "c"].map(|name| groups_in(&world, name)), [1, 5, 0], "it holds in the next pass too");
}

/// A world whose groups have a sidecar and an init container.
async fn with_companions(worker: Exit) -> World {
    let mut config = LocalAzureConfig::default();
    config.resource_manager.container_groups.worker = Arc::new(ExitsWhenTold::new(worker));
    let mut world = World::start(&["a"], config).await;
    let template = json!({ "properties": {
        "initContainers": [{ "name": "fetch", "properties": { "image": "example.com/fetch:1" } }],
        "containers": [
            { "name": "proxy", "properties": { "image": "example.com/proxy:1", "resources": { "requests": { "cpu": 0.5, "memoryInGB": 0.5 } } } },
        ],
    } });
    world.set("ACI_GROUP_TEMPLATE", template.to_string());
    world.send("a", messages("m", 1));
    world.pass().await;
    world
}

#[tokio::test]
async fn a_group_has_ended_with_its_worker_and_every_containers_lines_are_captured_the_workers_first() {
    let world = with_companions(Exit::Code(0)).await;
    world.until_all_are_running().await;
    let group = world.group_of("m1");
    assert_eq!((group.cpu, group.memory_gb), (2.5, 1.5), "the sidecar is beside the worker");
    world.serve(&group);
    world.until_all_have_ended().await;
    assert_eq!(world.group_of("m1").json["properties"]["instanceView"]["state"], "Running", "the sidecar goes on");
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("deleted", 1)]), "{pass:#?}");
    let logs: Vec<_> = world
        .azure
        .resource_manager
        .calls()
        .into_iter()
        .filter(|call| call.kind == GetLogs)
        .map(|call| call.uri)
        .collect();
    let containers: Vec<_> = logs.iter().map(|uri| uri.split('/').nth(10).unwrap()).collect();
    assert_eq!(containers, ["worker", "proxy", "fetch"]);
    for line in ["the sidecar proxy has begun", "the init container fetch is done"] {
        assert!(pass.log.contains(line), "{line}: {}", pass.log);
    }
}

#[tokio::test]
async fn a_failing_init_container_counts_as_a_failed_start_in_its_words() {
    let mut world = World::new(&["a"]).await;
    world.azure.resource_manager.container_groups().inject(Rule::times(
        1,
        Behaviour::StartFails(StartFailure::InitContainerFails),
        |_| true,
    ));
    world.set(
        "ACI_GROUP_TEMPLATE",
        r#"{"properties": {"initContainers": [{"name": "fetch", "properties": {"image": "example.com/fetch:1"}}]}}"#,
    );
    world.send("a", messages("m", 1));
    world.pass().await;
    let groups = world.azure.resource_manager.container_groups();
    let name = world.group_of("m1").name;
    let fails = |groups: &[local_azure::container_groups::GroupSnapshot]| {
        groups[0].json.pointer("/properties/initContainers/0/properties/instanceView/currentState/exitCode")
            == Some(&json!(1))
    };
    groups.until(crate::support::PATIENCE, fails).await.unwrap();
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("start_failing", 1)]), "{pass:#?}");
    assert!(pass.log.contains("init container fetch: Error, exit code 1"), "{}", pass.log);
    assert!(groups.age(&name, Duration::from_mins(6)));
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("deleted", 1)]), "{pass:#?}");
    assert!(pass.log.contains("the init container fetch has failed"), "{}", pass.log);
}

#[tokio::test]
async fn a_record_whose_sidecars_still_run_goes_after_the_provisioning_time_out_because_it_bills() {
    let mut world = with_companions(Exit::Code(1)).await;
    world.set("ACI_PROVISIONING_TIMEOUT_MINUTES", "1");
    world.set("PROVISIONING_RETRY_BACKOFF_SECONDS", "1800");
    world.until_all_are_running().await;
    let groups = world.azure.resource_manager.container_groups();
    let name = world.group_of("m1").name;
    assert!(groups.finish(&name, Exit::Code(1)));
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("record", 1)]), "{pass:#?}");
    let mut planted = world.group_of("m1").json;
    assert!(planted["tags"]["ended_since"].is_string(), "it is noted since when it bills: {planted}");
    // As it is five minutes later; the next attempt is not due for another twenty.
    planted["tags"]["ended_since"] = json!(minutes_ago(5));
    let state = |planted: &mut Value, container: usize, state: Value| {
        planted["properties"]["containers"][container]["properties"]["instanceView"]["currentState"] = state;
    };
    let terminated = || {
        let (started, finished) = (minutes_ago(11), minutes_ago(10));
        json!({ "state": "Terminated", "exitCode": 1, "startTime": started, "finishTime": finished, "detailStatus": "Error" })
    };
    state(&mut planted, 0, terminated());
    groups.plant(planted.clone());
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("deleted", 1)]), "{pass:#?}");
    assert_eq!(world.calls(DeleteGroup), [name]);
    assert_eq!(pass.messages(), counts([("backing_off", 1)]), "the attempt is remembered");

    // If its sidecars have ended too, Azure does not bill it, and it stays.
    state(&mut planted, 1, terminated());
    groups.plant(planted);
    assert_eq!(world.pass().await.groups(), counts([("record", 1)]));
    assert_eq!(world.azure.service_bus.peek_all(TOPIC, "a").unwrap().len(), 1);
}

fn minutes_ago(minutes: i64) -> String {
    (clock::now() - time::Duration::minutes(minutes)).format(&Rfc3339).unwrap()
}
