use std::collections::BTreeMap;
use std::path::PathBuf;

use ::test_support::programs::variable;
use serde_json::json;

use super::schema::{GROUP, Kind, Property};
use super::*;

fn owned() -> Owned<'static> {
    Owned {
        location: Some("westeurope"),
        variables: vec![("TOPIC", "INSTANCE_TOPIC".to_owned()), ("AZURE_CLIENT_ID", "ACI_IDENTITY".to_owned())],
        registry: Some("acr.azurecr.io"),
        identities: vec!["/ids/Puller"],
    }
}

fn problems(json: Value) -> Vec<String> {
    let (template, findings) = GroupTemplate::check(json, &owned());
    assert_eq!(template.is_none(), !findings.problems.is_empty());
    findings.problems.iter().map(ToString::to_string).collect()
}

/// The problems of a group with these properties.
fn with(properties: &Value) -> Vec<String> {
    problems(json!({ "properties": properties }))
}

/// The problems of a group whose worker has these properties.
fn worker(properties: &Value) -> Vec<String> {
    with(&json!({ "containers": [{ "name": "worker", "properties": properties }] }))
}

#[test]
fn what_azure_alone_sets_is_left_out_and_named() {
    let shown = json!({
        "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/g",
        "name": "g", "type": "Microsoft.ContainerInstance/containerGroups", "location": "West Europe", "plan": null,
        "tags": { "team": "maps", "Managed_By": "worker", "keep": "true" },
        "identity": {
            "type": "UserAssigned", "tenantId": "t", "principalId": null,
            "userAssignedIdentities": { "/ids/a": { "clientId": "c", "principalId": "p" } },
        },
        "properties": {
            "provisioningState": "Succeeded", "osType": "Linux", "restartPolicy": "Never", "sku": "Standard",
            "instanceView": { "state": "Running" },
            "containers": [{ "name": "worker", "properties": {
                "image": "i", "instanceView": { "restartCount": 0 }, "command": ["a"],
                "resources": { "requests": { "cpu": 1.0, "memoryInGB": 1.5 } },
            } }],
        },
    });
    let (template, findings) = GroupTemplate::check(shown, &owned());
    assert_eq!(findings.problems, []);
    let left = json!({
        "tags": { "team": "maps" },
        "identity": { "type": "UserAssigned", "userAssignedIdentities": { "/ids/a": {} } },
        "properties": {
            "sku": "Standard",
            "containers": [{ "name": "worker", "properties": { "command": ["a"], "resources": { "requests": {} } } }],
        },
    });
    assert_eq!(*template.unwrap().json(), left);
    let dropped: Vec<_> = findings.dropped.iter().map(|dropped| dropped.path.as_str()).collect();
    insta::assert_debug_snapshot!(dropped);
}

#[test]
fn what_the_schema_does_not_know_is_a_problem_with_what_was_meant() {
    assert_eq!(problems(json!([])), ["$: expected an object"]);
    assert_eq!(
        problems(json!({
            "Location": "westeurope", "containers": [], "tags": { "a": 1 }, "zones": "1",
            "properties": {
                "subnetIDs": [], "volume": [], "wholly": "unlike", "priority": "spot", "volumes": [{}],
                "containers": [{ "name": "worker", "properties": { "comand": [], "ports": [{ "port": "80" }] } }],
                "ipAddress": { "type": "Private", "ports": [7] },
            },
        })),
        [
            "Location: there is no such property; did you mean location?",
            "containers: there is no such property; did you mean properties.containers?",
            "properties.containers[0].properties.comand: there is no such property; did you mean command?",
            "properties.containers[0].properties.ports[0].port: expected a whole number",
            "properties.ipAddress.ports[0]: expected an object",
            "properties.priority: expected Regular or Spot",
            "properties.subnetIDs: there is no such property; did you mean subnetIds?",
            "properties.volume: there is no such property; did you mean volumes?",
            "properties.volumes[0].name: it is missing",
            "properties.wholly: there is no such property",
            "tags.a: expected a text",
            "zones: expected a list of texts",
            "properties.ipAddress.type: a private address needs properties.subnetIds",
            "properties.volumes[0]: expected one of azureFile, emptyDir, gitRepo, secret, secretReference",
        ]
    );
    assert_eq!(
        worker(&json!({ "command": ["[parameters('command')]", "[a]", "[1, 2]"] })),
        [
            "properties.containers[0].properties.command[0]: expected the value itself, not an expression of a deployment's template"
        ]
    );
}

#[test]
fn what_the_scaler_sets_is_a_problem_where_the_template_has_it_otherwise() {
    assert_eq!(problems(json!({ "location": "northeurope" })), ["location: ACI_LOCATION sets it to another one"]);
    assert_eq!(
        with(&json!({ "osType": "Windows", "restartPolicy": "Always", "standbyPoolProfile": { "id": "p" } })),
        [
            "properties.osType: a worker's group has Linux",
            "properties.restartPolicy: a worker's group has Never",
            "properties.standbyPoolProfile: a group that is made from it cannot have a size and variables of its own",
        ]
    );
    assert_eq!(
        worker(&json!({
            "environmentVariables": [{ "name": "topic", "value": "t" }, { "name": "AZURE_CLIENT_ID", "secureValue": "c" }],
            "resources": { "limits": { "memoryInGB": 2 } },
        })),
        [
            "properties.containers[0].properties.resources.limits.memoryInGB: the worker's size is the message's, which a limit would cut off",
            "properties.containers[0].properties.environmentVariables[0].name: INSTANCE_TOPIC sets that variable already",
            "properties.containers[0].properties.environmentVariables[1].name: ACI_IDENTITY sets that variable already",
        ]
    );
    assert_eq!(
        with(
            &json!({ "imageRegistryCredentials": [{ "server": "ACR.azurecr.io", "username": "u", "password": "p" }] })
        ),
        ["properties.imageRegistryCredentials[0].server: ACR_SERVER has credentials for it already"]
    );
}

#[test]
fn a_placeholder_that_there_is_not_is_a_problem_of_the_workers_variables_alone() {
    let variables =
        |value: &str| json!([{ "name": "A", "value": "{{scaler.attempt}}" }, { "name": "B", "secureValue": value }]);
    let names = "message_id, subscription, sequence_number, file_size_mb, attempt, max_attempts, memory_gb or cpu";
    assert_eq!(
        worker(&json!({ "environmentVariables": variables("{{scaler.atempt}}") })),
        [format!(
            "properties.containers[0].properties.environmentVariables[1].secureValue: expected {names}, and }}}}, after {{{{scaler.; did you mean attempt?"
        )]
    );
    assert_eq!(worker(&json!({ "environmentVariables": variables("{{ scaler.atempt }}") })), Vec::<String>::new());
    let requests = json!({ "requests": { "cpu": 1, "memoryInGB": 1 } });
    let sidecar =
        json!({ "image": "i", "resources": requests, "environmentVariables": variables("{{scaler.atempt}}") });
    assert_eq!(with(&json!({ "containers": [{ "name": "sidecar", "properties": sidecar }] })), Vec::<String>::new());
}

#[test]
fn what_azure_never_takes_together_is_a_problem() {
    let subnet = json!([{ "id": "/subnet" }]);
    let public = json!({ "type": "Public", "ports": [{ "port": 80 }] });
    for (properties, expected) in [
        (
            json!({ "priority": "Spot", "subnetIds": subnet }),
            "properties.subnetIds: Azure takes no spot group with it (properties.priority)",
        ),
        (
            json!({ "priority": "Spot", "ipAddress": public }),
            "properties.ipAddress: Azure takes no spot group with it (properties.priority)",
        ),
        (
            json!({ "priority": "Spot", "sku": "Confidential" }),
            "properties.sku: Azure takes spot groups of the sku Standard only (properties.priority)",
        ),
        (
            json!({ "subnetIds": subnet, "ipAddress": public }),
            "properties.ipAddress.type: a group in a subnet has no public address",
        ),
        (
            json!({ "ipAddress": { "type": "Public", "ports": [] } }),
            "properties.ipAddress.ports: an address needs ports",
        ),
        (json!({ "dnsConfig": { "nameServers": ["1.1.1.1"] } }), "properties.dnsConfig: it needs properties.subnetIds"),
        (
            json!({ "secretReferences": [{ "name": "s", "identity": "/ids/b", "secretReferenceUri": "https://v" }] }),
            "properties.secretReferences[0].identity: the group does not have that identity",
        ),
        (
            json!({ "imageRegistryCredentials": [{ "server": "s", "identity": "/ids/b" }] }),
            "properties.imageRegistryCredentials[0].identity: the group does not have that identity",
        ),
        (
            json!({ "imageRegistryCredentials": [{ "server": "s", "username": "u" }] }),
            "properties.imageRegistryCredentials[0]: the password is missing; Azure does not show it",
        ),
        (
            json!({ "imageRegistryCredentials": [{ "server": "s" }] }),
            "properties.imageRegistryCredentials[0]: expected either a username or an identity",
        ),
        (
            json!({ "volumes": [{ "name": "v", "azureFile": { "shareName": "s", "storageAccountName": "a" } }] }),
            "properties.volumes[0].azureFile: the storage account's key is missing; Azure does not show it",
        ),
        (
            json!({ "volumes": [{ "name": "v", "secret": {} }] }),
            "properties.volumes[0].secret: it is empty; Azure does not show what is in it",
        ),
        (
            json!({ "volumes": [{ "name": "v", "secretReference": { "file": "s" } }] }),
            "properties.volumes[0].secretReference.file: properties.secretReferences has no such name",
        ),
        (
            json!({ "initContainers": [{ "name": "worker", "properties": { "image": "i" } }] }),
            "properties.initContainers[0].name: the worker is no init container",
        ),
        (
            json!({ "initContainers": [{ "name": "a", "properties": {} }] }),
            "properties.initContainers[0].properties.image: it is missing",
        ),
    ] {
        assert_eq!(with(&properties), [expected]);
    }
}

#[test]
fn tags_that_azure_would_refuse_are_a_problem() {
    assert_eq!(
        problems(json!({ "tags": { "Team": "maps", "a/b": "c", "team": "geo", "text": "x".repeat(257) } })),
        [
            "tags.a/b: a tag's name has 1 to 512 characters, none of them <>%&\\?/",
            "tags.team: another tag differs from it only in case",
            "tags.text: a tag's value has at most 256 characters",
        ]
    );
    let tags: serde_json::Map<_, _> = (0..39).map(|number| (number.to_string(), json!(""))).collect();
    assert_eq!(problems(json!({ "tags": tags })), ["tags: Azure takes 50, of which 36 are yours"]);
}

#[test]
fn what_azure_never_takes_of_a_container_is_a_problem() {
    let sidecar = |name: &str, requests: Value| json!({ "name": name, "properties": { "image": "i", "resources": { "requests": requests } } });
    let fits = json!({ "cpu": 0.5, "memoryInGB": 0.5 });
    assert_eq!(
        with(&json!({ "containers": [
            sidecar("A", fits.clone()), sidecar("b", json!({ "cpu": 0.005 })), sidecar("c", fits.clone()), sidecar("c", fits),
        ] })),
        [
            "properties.containers[0].name: expected 1 to 63 lower-case letters, digits and single hyphens",
            "properties.containers[1].properties.resources.requests.cpu: expected a multiple of 0.01",
            "properties.containers[1].properties.resources.requests.memoryInGB: it is missing",
            "properties.containers[3].name: another container has that name",
        ]
    );
    assert_eq!(
        with(&json!({ "containers": [sidecar("a", json!({ "cpu": 31, "memoryInGB": 1 }))] })),
        ["properties.containers: beside the worker they take all that a group may have (31 cores, 240 GB)"]
    );
    assert_eq!(
        worker(&json!({
            "environmentVariables": [{ "name": "A" }, { "name": "B", "value": "", "secureValue": "" }, { "name": "C-D", "value": "" },
                { "name": "E", "secureValueReference": "s" }, { "name": "E", "value": "" }],
            "volumeMounts": [{ "name": "v", "mountPath": "/v" }],
        })),
        [
            "properties.containers[0].properties.volumeMounts[0].name: there is no such volume",
            "properties.containers[0].properties.environmentVariables[0]: its value is missing; Azure does not show secret ones",
            "properties.containers[0].properties.environmentVariables[1]: expected one of value, secureValue and secureValueReference",
            "properties.containers[0].properties.environmentVariables[2].name: expected 1 to 63 letters, digits and _",
            "properties.containers[0].properties.environmentVariables[3].secureValueReference: properties.secretReferences has no such name",
            "properties.containers[0].properties.environmentVariables[4].name: another variable has that name",
        ]
    );
    for (identity, expected) in [
        (json!({ "type": "None" }), "identity.type: the settings give the group an identity"),
        (json!({ "type": "UserAssigned" }), "identity.type: it does not go with identity.userAssignedIdentities"),
        (json!({ "userAssignedIdentities": { "/ids/a": {} } }), "identity.type: it is missing"),
    ] {
        assert_eq!(problems(json!({ "identity": identity })), [expected]);
    }
}

#[test]
fn the_lower_api_version_is_used_that_knows_every_property() {
    let version = |json: Value| GroupTemplate::check(json, &owned()).0.unwrap().api_version().as_str();
    assert_eq!(
        version(
            json!({ "zones": ["1"], "properties": { "priority": "Spot", "volumes": [{ "name": "v", "emptyDir": {} }] } })
        ),
        "2023-05-01"
    );
    let secret =
        json!({ "name": "s", "identity": "/ids/puller", "secretReferenceUri": "https://v.vault.azure.net/secrets/s" });
    assert_eq!(version(json!({ "properties": { "secretReferences": [secret] } })), "2025-09-01");
    let config = json!({ "configMap": { "keyValuePairs": { "a": "b" } } });
    assert_eq!(
        version(json!({ "properties": { "containers": [{ "name": "worker", "properties": config }] } })),
        "2025-09-01"
    );
}

#[test]
fn neither_debug_nor_a_problem_shows_a_value() {
    const CANARY: &str = "canary-template";
    let mut json = json!({ "properties": {
        "containers": [{ "name": "worker", "properties": {
            "command": [CANARY], "environmentVariables": [{ "name": "A", "secureValue": CANARY }] } }],
        "volumes": [{ "name": "v", "secret": { "f": CANARY } }],
    } });
    let (template, _) = GroupTemplate::check(json.clone(), &owned());
    let shown = format!("{:?}", template.unwrap());
    assert!(shown.starts_with("GroupTemplate") && !shown.contains(CANARY), "{shown}");
    for place in ["/properties/osType", "/properties/volumes/0/secret", "/properties/volumes/0/name", "/location"] {
        let (parent, name) = place.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[name] = json!(CANARY);
    }
    let (_, findings) = GroupTemplate::check(json, &owned());
    assert!(findings.problems.len() >= 2 && !format!("{findings:?}").contains(CANARY), "{findings:?}");
}

/// Needs the documents that `ACI_SCALER_SPECS` says where they are.
#[test]
fn the_properties_are_those_of_the_published_schema() {
    let Some(folder) = variable("ACI_SCALER_SPECS") else { return };
    let read = |version: &str| -> Value {
        let file =
            PathBuf::from(&folder).join("arm-json-schemas").join(version).join("Microsoft.ContainerInstance.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    };
    let mut ours = BTreeMap::new();
    let (old, new) = (read("2023-05-01"), read("2025-09-01"));
    flatten(GROUP, "", &mut ours);
    for (schema, version) in [(&old, ApiVersion::V2023), (&new, ApiVersion::V2025)] {
        let mut theirs = BTreeMap::new();
        flatten_schema(schema, &schema["resourceDefinitions"]["containerGroups"], "", &mut theirs);
        let known: BTreeMap<_, _> = ours
            .iter()
            .filter(|(_, (_, since))| *since <= version)
            .map(|(path, (kind, _))| (path.clone(), kind.clone()))
            .collect();
        let theirs: BTreeMap<_, _> =
            theirs.into_iter().filter(|(path, _)| !["name", "type", "apiVersion"].contains(&path.as_str())).collect();
        assert_same(&theirs, &known);
    }
}

#[track_caller]
fn assert_same(theirs: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) {
    let missing: Vec<_> = theirs.iter().filter(|(path, kind)| ours.get(*path) != Some(kind)).collect();
    let invented: Vec<_> = ours.iter().filter(|(path, _)| !theirs.contains_key(*path)).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:#?} invented: {invented:#?}");
}

/// The properties by their paths, each with what its value is.
fn flatten(properties: &[Property], at: &str, into: &mut BTreeMap<String, (String, ApiVersion)>) {
    for property in properties.iter().filter(|property| !property.read_only) {
        let path = below(at, property.name);
        let since = into.get(at).map_or(property.since, |(_, since)| property.since.max(*since));
        let kind = match &property.kind {
            Kind::Text => "text".to_owned(),
            Kind::Whole | Kind::Number => "number".to_owned(),
            Kind::Flag => "flag".to_owned(),
            Kind::Word(words) => words.join("|"),
            Kind::Texts => "texts".to_owned(),
            Kind::TextMap => "text map".to_owned(),
            Kind::Object(_) => "object".to_owned(),
            Kind::Objects(_) => "objects".to_owned(),
            Kind::List(_) => "list".to_owned(),
            Kind::Any => "any".to_owned(),
        };
        into.insert(path.clone(), (kind, since));
        if let Kind::Object(properties) | Kind::List(properties) = property.kind {
            flatten(properties, &path, into);
        }
    }
}

fn flatten_schema(document: &Value, schema: &Value, at: &str, into: &mut BTreeMap<String, String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = below(at, name);
        let property = resolve(document, property);
        let items = property.get("items").map(|items| resolve(document, items));
        let kind = match property["type"].as_str() {
            Some("array") if items.is_some_and(|items| items["type"] == "string") => "texts".to_owned(),
            Some("array") => "list".to_owned(),
            Some("boolean") => "flag".to_owned(),
            Some("integer" | "number") => "number".to_owned(),
            Some("string") => property["enum"].as_array().map_or("text".to_owned(), |words| {
                // To say that nothing is specified is to say nothing.
                let words = words.iter().filter_map(Value::as_str).filter(|word| *word != "NotSpecified");
                words.collect::<Vec<_>>().join("|")
            }),
            Some("object") => match property.get("additionalProperties").map(|items| resolve(document, items)) {
                Some(items) if items["type"] == "string" => "text map".to_owned(),
                Some(_) => "objects".to_owned(),
                None => "object".to_owned(),
            },
            _ => "any".to_owned(),
        };
        into.insert(path.clone(), kind);
        flatten_schema(document, items.unwrap_or(property), &path, into);
    }
}

/// What a schema stands for; expressions of a deployment's template are the second of two.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(first) = schema.pointer("/oneOf/0") {
        return resolve(document, first);
    }
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/definitions/")) {
        Some(name) => resolve(document, &document["definitions"][name]),
        None => schema,
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}
