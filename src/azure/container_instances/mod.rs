//! Container groups through `azure_mgmt_containerinstance`, avoiding its traps.
//!
//! * It only calls `send()`: awaiting the request builder of a create or a delete sends it again and again.
//! * The crate rejects a whole page for one odd foreign group, so [`response`] reads the answers.
//! * The crate knows only preview versions; the endpoint's query sets the stable one. Properties that its models lack are
//!   added to their JSON, in our own request that creates the group.

mod identity;
mod request;
mod response;

#[cfg(fuzzing)]
pub(super) mod fuzzing {
    pub(in crate::azure) use super::request::body;
    pub(in crate::azure) use super::response::{group, listed_group, logs};
}

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_core_legacy::headers::HeaderName;
use azure_core_legacy::{ClientOptions, RetryOptions, TelemetryOptions, TransportOptions};
use azure_mgmt_containerinstance::package_preview_2024_05::Client;
use azure_mgmt_containerinstance::package_preview_2024_05::models::Resource;
use serde_json::json;

use identity::WorkersIdentity;

use super::arm::Arm;
use super::arm_refusal::REMAINING_HEADERS;
use crate::container_group::{ApiVersion, ContainerGroup, GroupName, GroupSpec, NamePrefix};
use crate::error::Cause;
use crate::http::Answer;
use crate::services::{Accepted, ArmError, ContainerGroups, ListedGroups};
use crate::settings::Settings;

/// The newest stable version that the crate's models can write requests for.
const API_VERSION: &str = ApiVersion::V2023.as_str();

pub(crate) struct ContainerInstances {
    arm: Arc<Arm>,
    client: Client,
    subscription_id: String,
    resource_group: String,
    prefix: NamePrefix,
    identity: WorkersIdentity,
}

impl ContainerInstances {
    pub(super) fn new(arm: Arc<Arm>, settings: &Settings) -> Self {
        let options = ClientOptions::new(TransportOptions::new(arm.clone()))
            .retry(RetryOptions::none())
            .telemetry(TelemetryOptions::default().application_id(concat!("aci-scaler/", env!("CARGO_PKG_VERSION"))));
        let scopes = vec![arm.scope().to_owned()];
        Self {
            client: Client::new(arm.endpoint(API_VERSION), arm.credential(), scopes, options),
            arm,
            subscription_id: settings.azure.subscription_id.clone(),
            resource_group: settings.azure.resource_group.clone(),
            prefix: settings.aci.name_prefix.clone(),
            identity: WorkersIdentity::default(),
        }
    }

    /// The path of the groups, and what follows it.
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        let place = ["subscriptions", &self.subscription_id, "resourceGroups", &self.resource_group];
        let kind = ["providers", "Microsoft.ContainerInstance", "containerGroups"];
        [&place[..], &kind, rest].concat()
    }

    /// The first arguments of the crate's calls: the subscription, the resource group and the group's name.
    fn place(&self, name: &GroupName) -> (&str, &str, String) {
        (&self.subscription_id, &self.resource_group, name.as_str().to_owned())
    }
}

impl ContainerGroups for ContainerInstances {
    async fn list(&self) -> Result<ListedGroups, ArmError> {
        let read = |item| response::listed_group(item, &self.prefix);
        let (groups, time) = self.arm.list_of(&self.path(&[]), API_VERSION, &[], read).await?;
        Ok(ListedGroups { groups, time })
    }

    async fn get(&self, name: &GroupName) -> Result<Option<ContainerGroup>, ArmError> {
        let (subscription, resource_group, group) = self.place(name);
        let answer = self.client.container_groups_client().get(subscription, resource_group, group).send().await;
        match answer {
            Ok(answer) => Ok(Some(response::group(&collect(answer.into_raw_response()).await?, &self.prefix)?)),
            Err(error) => match arm_error(error) {
                ArmError::NotFound(refusal) if names_the_group(&refusal.code) => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn create(&self, spec: &GroupSpec) -> Result<Accepted, ArmError> {
        let client_id = self.identity.client_id(&self.arm, spec.recipe.identity.as_deref()).await?;
        let (body, api_version) = request::body(spec, client_id);
        let path = self.path(&[spec.name.as_str()]);
        let answer = self.arm.put(&path, api_version.as_str(), body).await?;
        // Azure accepted the group, whatever the answer's body is.
        let group = response::group(&answer.body, &self.prefix).ok();
        Ok(Accepted { remaining: remaining(&answer), ownership: group.map(|group| group.ownership) })
    }

    async fn delete(&self, name: &GroupName) -> Result<Accepted, ArmError> {
        let (subscription, resource_group, group) = self.place(name);
        let answer = self.client.container_groups_client().delete(subscription, resource_group, group).send().await;
        match answer.map_err(arm_error) {
            Err(ArmError::NotFound(refusal)) if names_the_group(&refusal.code) => Ok(Accepted::default()),
            answer => answer.map(|answer| accepted(answer.as_raw_response())),
        }
    }

    async fn tag(&self, name: &GroupName, tags: &BTreeMap<String, String>) -> Result<(), ArmError> {
        let (subscription, resource_group, group) = self.place(name);
        let body = Resource { tags: Some(json!(tags)), ..Resource::default() };
        let builder = self.client.container_groups_client().update(subscription, resource_group, group, body);
        builder.send().await.map(drop).map_err(arm_error)
    }

    async fn logs(&self, name: &GroupName, container: &str, tail: u32) -> Result<String, ArmError> {
        let (subscription, resource_group, group) = self.place(name);
        let tail = i32::try_from(tail).unwrap_or(i32::MAX);
        let builder = self.client.containers_client().list_logs(subscription, resource_group, group, container);
        let answer = builder.tail(tail).send().await.map_err(arm_error)?;
        response::logs(&collect(answer.into_raw_response()).await?)
    }
}

/// How many more creates and deletes Azure accepts for now, by the answer to a create.
fn remaining(answer: &Answer) -> Option<u32> {
    let left = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse().ok();
    REMAINING_HEADERS.into_iter().filter_map(left).min()
}

fn accepted(answer: &azure_core_legacy::Response) -> Accepted {
    let left = |name: &'static str| answer.headers().get_optional_str(&HeaderName::from_static(name))?.parse().ok();
    Accepted { remaining: REMAINING_HEADERS.into_iter().filter_map(left).min(), ownership: None }
}

/// Whether a 404 with this code means that the group does not exist. Other codes concern its resource group or subscription,
/// or a group that is being deployed.
fn names_the_group(code: &str) -> bool {
    const OTHERS: [&str; 4] =
        ["ContainerGroupDeploymentNotReady", "InvalidResourceType", "ResourceGroupNotFound", "SubscriptionNotFound"];
    !OTHERS.contains(&code)
}

async fn collect(answer: azure_core_legacy::Response) -> Result<Vec<u8>, ArmError> {
    Ok(answer.into_body().collect().await.map_err(arm_error)?.to_vec())
}

/// The transport's own error, which the crate passes on.
fn arm_error(error: azure_core_legacy::Error) -> ArmError {
    match error.into_downcast::<ArmError>() {
        Ok(error) => error,
        Err(error) => ArmError::unavailable(Cause::new(error)),
    }
}
