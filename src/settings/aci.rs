//! What the container groups are like.

use std::time::Duration;

use rust_decimal::Decimal;

use crate::container_group::{MemoryGb, NamePrefix};

/// The `ACI_*` settings.
#[derive(Clone, Debug)]
pub struct AciSettings {
    /// The worker's image.
    pub image: String,
    /// Start of every group's name, and the value of its `managed_by` tag.
    pub name_prefix: NamePrefix,
    /// The Azure region, such as `westeurope`.
    pub location: String,
    /// Most active groups at a time.
    pub max_instances: u32,
    /// CPU cores of each group.
    pub default_cpu: Decimal,
    /// GiB of memory per GiB of file.
    pub memory_multiplier: Decimal,
    /// Least memory of a group.
    pub min_memory: MemoryGb,
    /// Most memory of a group.
    pub max_memory: MemoryGb,
    /// How long a group may take to start running before it counts as failed.
    pub provisioning_timeout: Duration,
    /// How long a group may run, unless for ever.
    pub max_runtime: Option<Duration>,
}
