//! What a container group is made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::{GroupName, MemoryGb};
use crate::settings::{EnvironmentValue, RegistrySettings};

/// The tags of a group: all that the scaler remembers of it.
pub mod tag {
    /// The prefix of the scaler that made the group.
    pub const MANAGED_BY: &str = "managed_by";
    /// The message's id.
    pub const MESSAGE_ID: &str = "message_id";
    /// The message's file size, in MiB.
    pub const FILE_SIZE_MB: &str = "file_size_mb";
    /// The message's subscription.
    pub const SUBSCRIPTION_NAME: &str = "subscription_name";
    /// The message's sequence number in its subscription.
    pub const SEQUENCE_NUMBER: &str = "sequence_number";
    /// Which attempt at the message this is, from 1.
    pub const ATTEMPT: &str = "attempt";
    /// `true` when an operator wants the group to stay.
    pub const KEEP: &str = "keep";
    /// Since when a group has been seen that does not run yet (RFC 3339).
    pub const WAITING_SINCE: &str = "waiting_since";
    /// Since when a group has been seen that ended without Azure saying when (RFC 3339).
    pub const ENDED_SINCE: &str = "ended_since";
    /// Since when a group has been seen running whose message is gone (RFC 3339).
    pub const ORPHANED_SINCE: &str = "orphaned_since";
}

/// All that a container group is made from. The same spec always makes the same request, byte for byte.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    /// Its name.
    pub name: GroupName,
    /// Its tags.
    pub tags: BTreeMap<&'static str, String>,
    /// Its memory.
    pub memory: MemoryGb,
    /// The subscription whose message it is for.
    pub subscription: String,
    /// What all groups of the scaler have in common.
    pub template: Arc<GroupTemplate>,
}

/// What all groups of a scaler have in common.
#[derive(Debug)]
pub struct GroupTemplate {
    /// The Azure region.
    pub location: String,
    /// The worker's image.
    pub image: String,
    /// CPU cores.
    pub cpu: Decimal,
    /// How the image is pulled, where that needs credentials.
    pub registry: Option<RegistrySettings>,
    /// The containers' variables.
    pub environment: BTreeMap<String, EnvironmentValue>,
    /// The variable that receives the subscription's name.
    pub subscription_variable: Option<String>,
}
