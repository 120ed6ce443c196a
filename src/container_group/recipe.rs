//! What container groups are made from: the settings' part of each request, and nothing that a rule decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use secrecy::SecretString;

use super::{GroupName, MemoryGb, NamePrefix, tag};
use crate::message::{FileSizeMb, MessageAddress, MessageId, SubscriptionName};

/// What all groups of a scaler have in common.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub name_prefix: NamePrefix,
    /// The Service Bus namespace and the topic whose messages the groups are for.
    pub namespace: String,
    pub topic: String,
    /// The Azure region.
    pub location: String,
    pub image: String,
    /// Cores.
    pub cpu: Decimal,
    /// GiB of memory per GiB of file.
    pub memory_multiplier: Decimal,
    pub min_memory: MemoryGb,
    pub max_memory: MemoryGb,
    /// How the image is pulled, where that needs credentials.
    pub registry: Option<Registry>,
    /// The container's variables, by the names that it sees.
    pub environment: BTreeMap<String, EnvironmentValue>,
    /// The variable that receives the subscription's name.
    pub subscription_variable: Option<String>,
}

/// The value of a container's variable.
#[derive(Clone, Debug)]
pub enum EnvironmentValue {
    /// Anybody who can read the group may read it.
    Plain(String),
    /// Azure never shows it again (`secureValue`).
    Secure(SecretString),
}

/// How the image is pulled.
#[derive(Clone, Debug)]
pub enum Registry {
    Password {
        /// The registry's host, such as `myregistry.azurecr.io`.
        server: String,
        username: String,
        password: SecretString,
    },
    /// With a user-assigned managed identity, which the group is given too.
    Identity {
        /// The registry's host, such as `myregistry.azurecr.io`.
        server: String,
        /// The identity's resource id.
        identity: String,
    },
}

/// An attempt at a message, for which a group is to be created.
#[derive(Clone, Debug)]
pub struct Job {
    pub subscription: SubscriptionName,
    pub sequence_number: i64,
    pub message_id: MessageId,
    pub file_size: FileSizeMb,
    /// From 1.
    pub attempt: u32,
}

/// All that one container group is made from. The same spec always makes the same request, byte for byte.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    pub name: GroupName,
    pub tags: BTreeMap<&'static str, String>,
    pub memory: MemoryGb,
    pub subscription: SubscriptionName,
    pub recipe: Arc<Recipe>,
}

impl Recipe {
    /// The group for a job.
    pub fn group_for(self: &Arc<Self>, job: &Job) -> GroupSpec {
        let Job { subscription, sequence_number, message_id, file_size, attempt } = job;
        let tags = BTreeMap::from([
            (tag::MANAGED_BY, self.name_prefix.to_string()),
            (tag::MESSAGE_ID, message_id.to_string()),
            (tag::FILE_SIZE_MB, file_size.to_string()),
            (tag::SUBSCRIPTION_NAME, subscription.to_string()),
            (tag::SEQUENCE_NUMBER, sequence_number.to_string()),
            (tag::ATTEMPT, attempt.to_string()),
        ]);
        GroupSpec {
            name: GroupName::of_attempt(&self.stem(subscription, message_id), *attempt),
            tags,
            memory: self.memory_for(*file_size),
            subscription: subscription.clone(),
            recipe: self.clone(),
        }
    }

    /// What the names of all groups for a message begin with: `{prefix}-{16 hex digits}`.
    pub(crate) fn stem(&self, subscription: &SubscriptionName, message_id: &MessageId) -> String {
        // Service Bus compares the names of its entities without regard to case; message ids have case. The location is part
        // of it because Azure takes one name in several regions at a time for fraud.
        let parts = [&self.namespace, &self.topic, subscription.as_str(), &self.location].map(str::to_lowercase);
        let parts = parts.iter().map(String::as_str).chain([message_id.as_str()]);
        GroupName::stem(&self.name_prefix, parts)
    }

    /// The memory that a file of this size needs.
    fn memory_for(&self, size: FileSizeMb) -> MemoryGb {
        MemoryGb::for_file(size, self.memory_multiplier, self.min_memory, self.max_memory)
    }
}

impl Job {
    pub fn message(&self) -> MessageAddress {
        MessageAddress {
            subscription: self.subscription.clone(),
            sequence_number: self.sequence_number,
            message_id: Some(self.message_id.clone()),
        }
    }
}
