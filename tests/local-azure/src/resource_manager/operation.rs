//! The kinds of requests, and how to parse them.

use std::time::Duration;

use axum::http::Method;
use percent_encoding::percent_decode_str;
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::paths::resource;

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Lists the container groups of a resource group.
    ListGroups,
    /// Gets a container group.
    GetGroup,
    /// Creates or updates a container group.
    PutGroup,
    /// Changes a container group's tags.
    PatchGroup,
    /// Deletes a container group.
    DeleteGroup,
    /// Stops a container group.
    StopGroup,
    /// Starts a container group.
    StartGroup,
    /// Restarts a container group.
    RestartGroup,
    /// Gets a container's log.
    GetLogs,
    /// Lists the quotas of a location.
    ListUsages,
    /// Lists what groups can have in a location.
    ListCapabilities,
    /// Lists what the identity may do in a place.
    ListPermissions,
    /// Lists the subscriptions of Azure.
    ListSubscriptions,
    /// Lists the settings of a Function App.
    ListAppSettings,
    /// Gets an asynchronous operation.
    GetOperation,
    /// Lists the subscriptions of a topic.
    ListTopicSubscriptions,
    /// Gets a topic.
    GetTopic,
    /// Gets a subscription of a topic.
    GetTopicSubscription,
    /// Gets a user-assigned managed identity.
    GetIdentity,
    /// Gets a token for the managed identity.
    GetToken,
    /// Anything else.
    Unknown,
}

impl OperationKind {
    /// How long recorded requests took: a GET under 1 s, a PUT about 4 s, a PATCH or DELETE 3 to 4 s. That stopping and
    /// starting take as long is inferred; for tokens nothing is known.
    pub(super) fn recorded_latency(self) -> Duration {
        Duration::from_millis(match self {
            Self::ListGroups
            | Self::ListUsages
            | Self::ListCapabilities
            | Self::ListPermissions
            | Self::ListSubscriptions
            | Self::ListAppSettings
            | Self::ListTopicSubscriptions => 500,
            Self::GetGroup
            | Self::GetLogs
            | Self::GetOperation
            | Self::GetTopic
            | Self::GetTopicSubscription
            | Self::GetIdentity => 300,
            Self::PutGroup
            | Self::PatchGroup
            | Self::DeleteGroup
            | Self::StopGroup
            | Self::StartGroup
            | Self::RestartGroup => 4000,
            Self::GetToken | Self::Unknown => 0,
        })
    }
}

/// The operations that a fault is for. In JSON a kind, or `any`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {
    /// All of them, tokens included.
    Any,
    /// Those of one kind.
    Of(OperationKind),
}

impl Operations {
    pub(super) fn include(self, kind: OperationKind) -> bool {
        self == Self::Any || self == Self::Of(kind)
    }
}

impl From<OperationKind> for Operations {
    fn from(kind: OperationKind) -> Self {
        Self::Of(kind)
    }
}

impl Serialize for Operations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_str("any"),
            Self::Of(kind) => kind.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Operations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "any" => Ok(Self::Any),
            kind => OperationKind::deserialize(kind.into_deserializer()).map(Self::Of),
        }
    }
}

/// A parsed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Token,
    Arm { subscription: String, resource: Resource },
    Unknown,
}

/// The resource that a request to Azure Resource Manager is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Groups { resource_group: String },
    Group { resource_group: String, name: String, verb: Verb },
    Logs { resource_group: String, name: String, container: String },
    Usages { location: String },
    Capabilities { location: String },
    Subscriptions,
    Permissions,
    AppSettings { resource_group: String, app: String },
    AsyncOperation { id: String },
    Identity { resource_group: String, name: String },
    Topic { resource_group: String, namespace: String, topic: String },
    TopicSubscriptions { resource_group: String, namespace: String, topic: String },
    TopicSubscription { resource_group: String, namespace: String, topic: String, name: String },
}

/// What is done with a container group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Put,
    Patch,
    Delete,
    Stop,
    Start,
    Restart,
}

impl Operation {
    /// Parses method and path. Like Azure Resource Manager, it ignores the case of fixed segments.
    pub(super) fn parse(method: &Method, path: &str) -> Self {
        let segments: Vec<String> = path
            .trim_matches('/')
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        if method == Method::GET && lower == ["msi", "token"] {
            return Self::Token;
        }
        match resource(method, &lower, &segments) {
            Some(resource) => {
                let subscription = segments.get(1).cloned().unwrap_or_default();
                Self::Arm { subscription, resource }
            }
            None => Self::Unknown,
        }
    }

    pub(super) fn kind(&self) -> OperationKind {
        match self {
            Self::Token => OperationKind::GetToken,
            Self::Unknown => OperationKind::Unknown,
            Self::Arm { resource, .. } => match resource {
                Resource::Groups { .. } => OperationKind::ListGroups,
                Resource::Group { verb: Verb::Get, .. } => OperationKind::GetGroup,
                Resource::Group { verb: Verb::Put, .. } => OperationKind::PutGroup,
                Resource::Group { verb: Verb::Patch, .. } => OperationKind::PatchGroup,
                Resource::Group { verb: Verb::Delete, .. } => OperationKind::DeleteGroup,
                Resource::Group { verb: Verb::Stop, .. } => OperationKind::StopGroup,
                Resource::Group { verb: Verb::Start, .. } => OperationKind::StartGroup,
                Resource::Group { verb: Verb::Restart, .. } => OperationKind::RestartGroup,
                Resource::Logs { .. } => OperationKind::GetLogs,
                Resource::Usages { .. } => OperationKind::ListUsages,
                Resource::Capabilities { .. } => OperationKind::ListCapabilities,
                Resource::Subscriptions => OperationKind::ListSubscriptions,
                Resource::Permissions => OperationKind::ListPermissions,
                Resource::AppSettings { .. } => OperationKind::ListAppSettings,
                Resource::AsyncOperation { .. } => OperationKind::GetOperation,
                Resource::Identity { .. } => OperationKind::GetIdentity,
                Resource::Topic { .. } => OperationKind::GetTopic,
                Resource::TopicSubscriptions { .. } => OperationKind::ListTopicSubscriptions,
                Resource::TopicSubscription { .. } => OperationKind::GetTopicSubscription,
            },
        }
    }

    /// The name of the container group, topic, subscription, location or operation that it is about.
    pub(super) fn name(&self) -> Option<&str> {
        let Self::Arm { resource, .. } = self else { return None };
        match resource {
            Resource::Groups { .. } | Resource::Subscriptions | Resource::Permissions => None,
            Resource::AppSettings { app, .. } => Some(app),
            Resource::Group { name, .. }
            | Resource::Logs { name, .. }
            | Resource::Identity { name, .. }
            | Resource::TopicSubscription { name, .. } => Some(name),
            Resource::Usages { location } | Resource::Capabilities { location } => Some(location),
            Resource::AsyncOperation { id } => Some(id),
            Resource::Topic { topic, .. } | Resource::TopicSubscriptions { topic, .. } => Some(topic),
        }
    }
}

impl Resource {
    /// The resource group that it is in, if it is in one.
    pub(super) fn resource_group(&self) -> Option<&str> {
        match self {
            Self::Groups { resource_group }
            | Self::Group { resource_group, .. }
            | Self::Logs { resource_group, .. }
            | Self::AppSettings { resource_group, .. }
            | Self::Identity { resource_group, .. }
            | Self::Topic { resource_group, .. }
            | Self::TopicSubscriptions { resource_group, .. }
            | Self::TopicSubscription { resource_group, .. } => Some(resource_group),
            Self::Usages { .. }
            | Self::Capabilities { .. }
            | Self::Subscriptions
            | Self::Permissions
            | Self::AsyncOperation { .. } => None,
        }
    }
}
