//! Well-formed requests that are still refused. The texts are the service's.

use thiserror::Error;

/// A PUT that is refused.
#[derive(Clone, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "the fields are the names and amounts that the messages speak of")]
pub enum PutRefused {
    /// Another operation is under way.
    #[error(transparent)]
    Transitioning(#[from] Transitioning),
    /// It would change what a running group cannot change.
    #[error(
        "The updates on container group '{group}' are invalid. If you are going to update the os type, restart policy, \
         network profile, CPU, memory or GPU resources for a container group, you must delete it first and then create \
         a new one."
    )]
    Immutable { group: String },
    /// The group is in another location.
    #[error(
        "The resource '{group}' already exists in location '{have}' in resource group '{resource_group}'. A resource \
         with the same name cannot be created in location '{asked}'. Please select a new resource name."
    )]
    OtherLocation { group: String, resource_group: String, have: String, asked: String },
    /// The subscription's quota is used up.
    #[error(
        "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota '{quota}' exceeded in \
         region '{location}'. Limit: '{limit}', Usage: '{usage}' Requested: '{requested}'."
    )]
    Quota { quota: &'static str, location: String, limit: u32, usage: f64, requested: f64 },
}

/// Another operation on the group is under way.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("The container group '{group}' is still transitioning, please retry later.")]
pub struct Transitioning {
    /// The group.
    pub group: String,
}

/// A log that cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are the names that the messages speak of")]
pub enum LogRefused {
    /// There is no such group.
    #[error("The container group '{group}' is not found.")]
    NoGroup { group: String },
    /// The group has no such container.
    #[error("The container '{container}' is not found in container group '{group}'.")]
    NoContainer { container: String, group: String },
    /// The container has not started.
    #[error(
        "Log of container '{container}' in container group '{group}' is not available yet. Please check container \
         'InstanceView' for more information or retry later."
    )]
    NotAvailable { container: String, group: String },
}
