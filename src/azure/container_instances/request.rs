//! The body that creates a container group. It holds nothing but what the spec says, in a fixed order: sending the same
//! spec twice changes nothing.

use azure_mgmt_containerinstance::package_preview_2024_05::models::{
    Container, ContainerGroup, ContainerGroupIdentity, ContainerGroupProperties, ContainerProperties,
    EnvironmentVariable, ImageRegistryCredential, ResourceRequests, ResourceRequirements, container_group_identity,
    container_group_properties::{Properties, properties},
};
use rust_decimal::prelude::ToPrimitive;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::container_group::{EnvironmentValue, GroupSpec, Registry};

/// The name of a group's only container. Names of containers need to be unique within their group only.
const CONTAINER: &str = "worker";

/// The body of the PUT: Linux, never restarted, no public address and no ports.
pub(super) fn body(spec: &GroupSpec) -> ContainerGroup {
    let recipe = &spec.recipe;
    let cpu = recipe.cpu.to_f64().unwrap_or(1.0);
    let container = ContainerProperties {
        image: Some(recipe.image.clone()),
        environment_variables: environment(spec),
        resources: Some(ResourceRequirements::new(ResourceRequests::new(spec.memory.to_f64(), cpu))),
        ..ContainerProperties::default()
    };
    let mut properties = Properties::new(vec![Container::new(CONTAINER.to_owned(), container)]);
    properties.os_type = Some(properties::OsType::Linux);
    properties.restart_policy = Some(properties::RestartPolicy::Never);
    properties.image_registry_credentials = recipe.registry.iter().map(credential).collect();

    let mut group = ContainerGroup::new(ContainerGroupProperties::new(properties));
    group.container_group_properties.identity = recipe.registry.as_ref().and_then(identity);
    group.resource.location = Some(recipe.location.clone());
    group.resource.tags = Some(json!(spec.tags));
    group
}

fn environment(spec: &GroupSpec) -> Vec<EnvironmentVariable> {
    let subscription = spec.recipe.subscription_variable.iter().map(|name| EnvironmentVariable {
        value: Some(spec.subscription.to_string()),
        ..EnvironmentVariable::new(name.clone())
    });
    let variables = spec.recipe.environment.iter().map(|(name, value)| {
        let variable = EnvironmentVariable::new(name.clone());
        match value {
            EnvironmentValue::Plain(value) => EnvironmentVariable { value: Some(value.clone()), ..variable },
            EnvironmentValue::Secure(value) => {
                EnvironmentVariable { secure_value: Some(value.expose_secret().to_owned()), ..variable }
            }
        }
    });
    subscription.chain(variables).collect()
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

/// The identity that pulls the image has to be the group's own.
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
    use crate::container_group::{GroupName, MemoryGb, Recipe, tag};

    fn spec(registry: Option<Registry>) -> GroupSpec {
        let recipe = Recipe {
            location: "westeurope".into(),
            image: "acr.azurecr.io/worker:1".into(),
            cpu: "0.5".parse().unwrap(),
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
            subscription: "small".into(),
            recipe: Arc::new(recipe),
        }
    }

    #[test]
    fn a_group_is_linux_runs_once_and_is_reached_from_nowhere() {
        insta::assert_json_snapshot!(body(&spec(None)));
    }

    #[test]
    fn a_registry_password_goes_with_the_image() {
        let registry =
            Registry::Password { server: "acr.azurecr.io".into(), username: "puller".into(), password: "p4ss".into() };
        let body = serde_json::to_value(body(&spec(Some(registry)))).unwrap();
        insta::assert_json_snapshot!(body["properties"]["imageRegistryCredentials"]);
    }

    #[test]
    fn the_identity_that_pulls_the_image_is_the_groups_own() {
        let registry = Registry::Identity { server: "acr.azurecr.io".into(), identity: "/ids/puller".into() };
        let body = serde_json::to_value(body(&spec(Some(registry)))).unwrap();
        insta::assert_json_snapshot!([&body["identity"], &body["properties"]["imageRegistryCredentials"]]);
    }
}
