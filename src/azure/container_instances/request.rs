//! The body that creates a container group. It depends only on the spec, and its order is fixed, so that sending the same
//! spec twice changes nothing.
//!
//! It is the crate's model as JSON, merged over the template if there is one.

use azure_mgmt_containerinstance::package_preview_2024_05::models::{
    Container, ContainerGroup, ContainerGroupIdentity, ContainerGroupProperties, ContainerProperties,
    EnvironmentVariable, ImageRegistryCredential, ResourceRequests, ResourceRequirements, container_group_identity,
    container_group_properties::{Properties, properties},
};
use rust_decimal::prelude::ToPrimitive;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::container_group::{ApiVersion, EnvironmentValue, GroupSpec, GroupTemplate, Recipe, Registry};

/// The body of the PUT, and the lowest api-version that knows all of its properties.
pub(in crate::azure) fn body(spec: &GroupSpec, client_id: Option<&str>) -> (Vec<u8>, ApiVersion) {
    let group = model(spec, client_id);
    let template = spec.recipe.template.as_ref();
    let body = match template.map(|template| template.filled(&spec.placeholders())) {
        None => serde_json::to_vec(&group),
        Some(template) => serde_json::to_value(group).and_then(|group| serde_json::to_vec(&merged(&template, group))),
    };
    (body.expect("a group has only what JSON can hold"), template.map(GroupTemplate::api_version).unwrap_or_default())
}

/// What the scaler sets: Linux, never restarted, no public address and no ports.
fn model(spec: &GroupSpec, client_id: Option<&str>) -> ContainerGroup {
    let recipe = &spec.recipe;
    let cpu = spec.cpu.to_f64().unwrap_or(1.0);
    let container = ContainerProperties {
        image: Some(recipe.image.clone()),
        environment_variables: environment(spec, client_id),
        resources: Some(ResourceRequirements::new(ResourceRequests::new(spec.memory.to_f64(), cpu))),
        ..ContainerProperties::default()
    };
    let mut properties =
        Properties::new(vec![Container::new(crate::container_group::Container::WORKER.to_owned(), container)]);
    properties.os_type = Some(properties::OsType::Linux);
    properties.restart_policy = Some(properties::RestartPolicy::Never);
    properties.image_registry_credentials = recipe.registry.iter().map(credential).collect();

    let mut group = ContainerGroup::new(ContainerGroupProperties::new(properties));
    group.container_group_properties.identity = recipe.registry.as_ref().and_then(identity);
    group.resource.location = Some(recipe.location.clone());
    group.resource.tags = Some(json!(spec.tags));
    group
}

/// A template with the scaler's values merged over it. List elements with the same name are merged; the template's other
/// elements come after the scaler's.
fn merged(template: &Value, own: Value) -> Value {
    match (template, own) {
        (Value::Object(template), Value::Object(own)) => Value::Object(merged_objects(template, own)),
        (Value::Array(template), Value::Array(own)) => {
            let same = |one: &Value, other: &Value| one["name"].is_string() && one["name"] == other["name"];
            let others = template.iter().filter(|item| !own.iter().any(|own| same(own, item))).cloned();
            let others: Vec<_> = others.collect();
            let own = own.into_iter().map(|own| match template.iter().find(|item| same(&own, item)) {
                Some(item) => merged(item, own),
                None => own,
            });
            Value::Array(own.chain(others).collect())
        }
        (_, own) => own,
    }
}

fn merged_objects(template: &Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    let mut merged_object = template.clone();
    for (name, own) in own {
        let value = match template.get(&name) {
            Some(theirs) if name == "identity" && theirs.is_object() => both_identities(theirs, &own),
            Some(theirs) => merged(theirs, own),
            None => own,
        };
        merged_object.insert(name, value);
    }
    merged_object
}

/// A group's identities: the template's, and the one that pulls the image. Azure compares their ids without regard to case.
fn both_identities(template: &Value, own: &Value) -> Value {
    let mut identity = template.clone();
    if identity["type"] == "SystemAssigned" {
        identity["type"] = json!("SystemAssigned, UserAssigned");
    }
    let mut assigned = identity["userAssignedIdentities"].as_object().cloned().unwrap_or_default();
    let own = own.get("userAssignedIdentities").and_then(Value::as_object).cloned().unwrap_or_default();
    for (id, value) in own {
        if !assigned.keys().any(|have| have.eq_ignore_ascii_case(&id)) {
            assigned.insert(id, value);
        }
    }
    identity["userAssignedIdentities"] = Value::Object(assigned);
    identity
}

fn environment(spec: &GroupSpec, client_id: Option<&str>) -> Vec<EnvironmentVariable> {
    let client_id = client_id.map(|client_id| EnvironmentVariable {
        value: Some(client_id.to_owned()),
        ..EnvironmentVariable::new(Recipe::CLIENT_ID.to_owned())
    });
    let subscription = spec.recipe.subscription_variable.iter().map(|name| EnvironmentVariable {
        value: Some(spec.subscription.to_string()),
        ..EnvironmentVariable::new(name.clone())
    });
    let placeholders = spec.placeholders();
    let filled = |value: &str| Some(placeholders.fill(value).into_owned());
    let variables = spec.recipe.environment.iter().map(|(name, value)| {
        let variable = EnvironmentVariable::new(name.clone());
        match value {
            EnvironmentValue::Plain(value) => EnvironmentVariable { value: filled(value), ..variable },
            EnvironmentValue::Secure(value) => {
                EnvironmentVariable { secure_value: filled(value.expose_secret()), ..variable }
            }
        }
    });
    subscription.chain(client_id).chain(variables).collect()
}

fn credential(registry: &Registry) -> ImageRegistryCredential {
    match registry {
        Registry::Password { server, username, password } => ImageRegistryCredential {
            username: Some(username.clone()),
            password: Some(password.expose_secret().to_owned()),
            ..ImageRegistryCredential::new(server.clone())
        },
        Registry::Identity { server, identity } => {
            ImageRegistryCredential { identity: Some(identity.clone()), ..ImageRegistryCredential::new(server.clone()) }
        }
    }
}

/// The identity that pulls the image must be one of the group's.
fn identity(registry: &Registry) -> Option<ContainerGroupIdentity> {
    let Registry::Identity { identity, .. } = registry else { return None };
    Some(ContainerGroupIdentity {
        type_: Some(container_group_identity::Type::UserAssigned),
        user_assigned_identities: Some(json!({ identity: {} })),
        ..ContainerGroupIdentity::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::container_group::{GroupName, Job, MemoryGb, Owned, Recipe, tag};
    use crate::message::{FileSizeMb, MessageId};

    fn spec(registry: Option<Registry>) -> GroupSpec {
        let recipe = Recipe {
            location: "westeurope".into(),
            image: "acr.azurecr.io/worker:1".into(),
            registry,
            environment: BTreeMap::from([
                ("MODE".into(), EnvironmentValue::Plain("fast".into())),
                ("API_KEY".into(), EnvironmentValue::Secure("k3y".into())),
            ]),
            subscription_variable: Some("SUBSCRIPTION".into()),
            ..crate::test_support::settings().recipe()
        };
        GroupSpec {
            name: GroupName::parse("worker-0123456789abcdef-1").unwrap(),
            tags: BTreeMap::from([(tag::MANAGED_BY, "worker".into()), (tag::MESSAGE_ID, "m1".into())]),
            memory: MemoryGb::from_decimal("0.3".parse().unwrap()).unwrap(),
            cpu: "0.5".parse().unwrap(),
            ..Arc::new(recipe).group_for(&job(1))
        }
    }

    fn job(attempt: u32) -> Job {
        Job {
            subscription: "small".into(),
            sequence_number: 7,
            message_id: MessageId::new("m1").unwrap(),
            file_size: FileSizeMb::from_text("500").unwrap(),
            attempt,
            attempts_before: 0,
            ran_out_of: None,
        }
    }

    #[test]
    fn placeholders_are_filled_in_the_workers_variables_and_nowhere_else() {
        let variable = |value: &str| json!([{ "name": "A", "value": value }, { "name": "B", "secureValue": value }]);
        let container = |name: &str| {
            let requests = json!({ "cpu": 1, "memoryInGB": 1 });
            let command = json!(["{{scaler.attempt}}"]);
            let image = if name == "worker" { Value::Null } else { json!("i") };
            let resources = if name == "worker" { Value::Null } else { json!({ "requests": requests }) };
            json!({ "name": name, "properties": {
                "image": image, "resources": resources, "command": command, "environmentVariables": variable("{{scaler.attempt}}"),
            } })
        };
        let template = json!({
            "tags": { "note": "{{scaler.attempt}}" },
            "properties": { "containers": [container("sidecar"), container("worker")] },
        });
        let (template, findings) = GroupTemplate::check(template, &Owned::default());
        assert_eq!(findings.problems, []);
        let plain = EnvironmentValue::Plain("{{scaler.message_id}} {{scaler.file_size_mb}} {}".into());
        let secure = EnvironmentValue::Secure("k3y-{{scaler.memory_gb}}".into());
        let recipe = Recipe {
            environment: BTreeMap::from([("PLAIN".into(), plain), ("SECURE".into(), secure)]),
            template,
            ..crate::test_support::settings().recipe()
        };
        let spec = Arc::new(recipe).group_for(&job(2));
        let (first, again) = (body(&spec, None).0, body(&spec, None).0);
        assert_eq!(first, again);
        let body: Value = serde_json::from_slice(&first).unwrap();
        let [worker, sidecar] = [0, 1].map(|index| &body["properties"]["containers"][index]["properties"]);
        let expected = json!([
            { "name": "PLAIN", "value": "m1 500 {}" },
            { "name": "SECURE", "secureValue": "k3y-4" },
            { "name": "A", "value": "2" },
            { "name": "B", "secureValue": "2" },
        ]);
        assert_eq!(worker["environmentVariables"], expected);
        let literal = "{{scaler.attempt}}";
        assert_eq!((&worker["command"][0], &sidecar["command"][0]), (&json!(literal), &json!(literal)));
        assert_eq!((&sidecar["environmentVariables"], &body["tags"]["note"]), (&variable(literal), &json!(literal)));
    }

    #[test]
    fn a_group_is_linux_runs_once_and_is_reached_from_nowhere() {
        insta::assert_json_snapshot!(model(&spec(None), None));
    }

    #[test]
    fn a_registry_password_goes_with_the_image() {
        let registry =
            Registry::Password { server: "acr.azurecr.io".into(), username: "puller".into(), password: "p4ss".into() };
        let body = serde_json::to_value(model(&spec(Some(registry)), None)).unwrap();
        insta::assert_json_snapshot!(body["properties"]["imageRegistryCredentials"]);
    }

    #[test]
    fn the_identity_that_pulls_the_image_is_the_groups_own() {
        let registry = Registry::Identity { server: "acr.azurecr.io".into(), identity: "/ids/puller".into() };
        let body = serde_json::to_value(model(&spec(Some(registry)), None)).unwrap();
        insta::assert_json_snapshot!([&body["identity"], &body["properties"]["imageRegistryCredentials"]]);
    }
}
