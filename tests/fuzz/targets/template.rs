//! Templates of container groups and overrides of subscriptions: JSON of any kind, and JSON of the words that groups are made of.
//!
//! Nothing panics; what is wrong is named by its place, and no value is shown; whatever is accepted leaves to the scaler what is the
//! scaler's, and makes the same request twice.

#![no_main]

use std::sync::Arc;

use aci_scaler::azure::fuzzing::request;
use aci_scaler::container_group::Job;
use aci_scaler::message::{FileSizeMb, MessageId, SubscriptionName};
use aci_scaler::settings::Settings;
use aci_scaler_fuzz::{byte, environment, take};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const CANARY: &str = "c4n4ry";

/// What the properties of groups and overrides are called, and a few that they are not.
const WORDS: &[&str] = &[
    "name",
    "value",
    "secureValue",
    "properties",
    "containers",
    "initContainers",
    "worker",
    "proxy",
    "identity",
    "type",
    "UserAssigned",
    "SystemAssigned",
    "userAssignedIdentities",
    "subnetIds",
    "id",
    "dnsConfig",
    "nameServers",
    "diagnostics",
    "logAnalytics",
    "workspaceId",
    "workspaceKey",
    "volumes",
    "volumeMounts",
    "mountPath",
    "emptyDir",
    "azureFile",
    "shareName",
    "storageAccountName",
    "storageAccountKey",
    "gitRepo",
    "repository",
    "secret",
    "image",
    "command",
    "ports",
    "port",
    "environmentVariables",
    "resources",
    "requests",
    "limits",
    "cpu",
    "memoryInGB",
    "gpu",
    "count",
    "sku",
    "K80",
    "livenessProbe",
    "readinessProbe",
    "exec",
    "httpGet",
    "path",
    "periodSeconds",
    "securityContext",
    "privileged",
    "imageRegistryCredentials",
    "server",
    "username",
    "password",
    "passwordReference",
    "osType",
    "Linux",
    "Windows",
    "restartPolicy",
    "Never",
    "Always",
    "ipAddress",
    "Public",
    "Private",
    "priority",
    "Spot",
    "Regular",
    "Confidential",
    "confidentialComputeProperties",
    "ccePolicy",
    "zones",
    "1",
    "extensions",
    "extensionType",
    "secretReferences",
    "secureValueReference",
    "tags",
    "managed_by",
    "message_id",
    "location",
    "westeurope",
    "provisioningState",
    "instanceView",
    "max_instances",
    "cpu_multiplier",
    "max_cpu",
    "memory_multiplier",
    "min_memory_gb",
    "max_memory_gb",
    "template",
    "a",
    "*",
    "a*",
    "SUBSCRIPTION",
    "INSTANCE_MODE",
    "unknown",
];

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let kind = byte(&mut input);
    let [template, overrides] = if kind % 2 == 0 {
        let length = usize::from(byte(&mut input)) * 8;
        [take(&mut input, length), input].map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    } else {
        let template = object(&mut input, 0);
        let overrides =
            if kind % 4 == 1 { Value::Object(object(&mut input, 0)) } else { json!({ "*": object(&mut input, 0) }) };
        [Value::Object(template).to_string(), overrides.to_string()]
    };
    // A text that is no JSON is the path of a file.
    let is_json = |text: &str| text.trim_start().starts_with('{');
    let mut environment = environment();
    environment.insert("INSTANCE_MODE".to_owned(), "fast".to_owned());
    for (name, text) in [("ACI_GROUP_TEMPLATE", template), ("ACI_SUBSCRIPTION_OVERRIDES", overrides)] {
        if is_json(&text) && !text.contains('\0') {
            environment.insert(name.to_owned(), text);
        }
    }
    match Settings::from_environment(&environment) {
        Ok(settings) => {
            assert!(!format!("{settings:?}").contains(CANARY), "{settings:?}");
            is_the_scalers(&settings);
        }
        Err(errors) => assert!(!format!("{errors} {errors:?}").contains(CANARY), "{errors}"),
    }
});

fn is_the_scalers(settings: &Settings) {
    let recipe = Arc::new(settings.recipe());
    let job = Job {
        subscription: SubscriptionName::new("a"),
        sequence_number: 1,
        message_id: MessageId::new("m1").expect("it is an id"),
        file_size: FileSizeMb::from_text("1024").expect("it is a size"),
        attempt: 1,
        attempts_before: 0,
        ran_out_of: None,
    };
    let spec = recipe.group_for(&job);
    let body = request(&spec);
    assert_eq!(body, request(&recipe.group_for(&job)));
    let group: Value = serde_json::from_slice(&body).expect("a request is JSON");
    for (name, value) in &spec.tags {
        assert_eq!(group["tags"][name], **value);
    }
    let properties = &group["properties"];
    assert_eq!((&group["location"], &properties["osType"]), (&json!("westeurope"), &json!("Linux")));
    assert_eq!(properties["restartPolicy"], "Never");
    let worker = &properties["containers"][0];
    assert_eq!((&worker["name"], &worker["properties"]["image"]), (&json!("worker"), &json!(spec.recipe.image)));
    assert_eq!(worker["properties"]["resources"]["requests"]["memoryInGB"], json!(spec.memory.to_f64()));
    let variables = worker["properties"]["environmentVariables"].as_array().into_iter().flatten();
    let modes =
        variables.filter(|variable| variable["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("MODE")));
    assert_eq!(modes.count(), 1, "{worker}");
}

/// JSON of words, values that nobody may see, and numbers.
fn value(input: &mut &[u8], depth: usize) -> Value {
    match byte(input) % 8 {
        _ if depth > 8 => Value::Null,
        0..=2 => Value::Object(object(input, depth)),
        3 => (0..byte(input) % 4).map(|_| value(input, depth + 1)).collect(),
        4 => word(input).into(),
        5 => (i64::from(byte(input)) - 8).into(),
        6 => (f64::from(byte(input)) / 10.0).into(),
        _ => [json!(true), json!(null), json!(CANARY), json!("")][usize::from(byte(input)) % 4].clone(),
    }
}

fn object(input: &mut &[u8], depth: usize) -> Map<String, Value> {
    (0..byte(input) % 6).map(|_| (word(input).to_owned(), value(input, depth + 1))).collect()
}

fn word(input: &mut &[u8]) -> &'static str {
    WORDS[usize::from(byte(input)) % WORDS.len()]
}
