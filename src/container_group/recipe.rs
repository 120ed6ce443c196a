//! The recipe for container groups: everything in a request that comes from settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use secrecy::SecretString;

use super::{GroupName, GroupTemplate, MemoryGb, NamePrefix, tag};
use super::{Override, Overrides, Placeholders, SubscriptionPattern};
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
    /// The least cores.
    pub cpu: Decimal,
    /// Cores per GiB of file.
    pub cpu_multiplier: Decimal,
    pub max_cpu: Decimal,
    /// GiB of memory per GiB of file.
    pub memory_multiplier: Decimal,
    pub min_memory: MemoryGb,
    pub max_memory: MemoryGb,
    /// After an attempt that ran out of memory, the next one gets that memory times this factor; 1 is off.
    pub oom_memory_factor: Decimal,
    /// After this many attempts a message is parked. Only a placeholder uses it.
    pub max_attempts: u32,
    /// How the image is pulled, if that needs credentials.
    pub registry: Option<Registry>,
    /// The worker's variables, by name.
    pub environment: BTreeMap<String, EnvironmentValue>,
    /// The variable that receives the subscription's name.
    pub subscription_variable: Option<String>,
    /// The user-assigned identity whose client id is in the worker's variable [`Recipe::CLIENT_ID`].
    pub identity: Option<String>,
    pub template: Option<GroupTemplate>,
    /// What groups of some subscriptions have instead.
    pub overrides: Overrides,
    /// The overrides that are applied to this recipe, the most specific first.
    pub applied: Vec<SubscriptionPattern>,
}

/// The value of a container's variable.
#[derive(Clone, Debug)]
pub enum EnvironmentValue {
    /// Anybody who can read the group can read it.
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
    /// With a user-assigned managed identity, which the group gets too.
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
    /// From 1, since the count of attempts was last restarted.
    pub attempt: u32,
    /// How many attempts there were before that. The group's name counts them too, so that no two of a message's groups share a
    /// name.
    pub attempts_before: u32,
    /// The most memory that an attempt at the message ran out of, as far as is known.
    pub ran_out_of: Option<MemoryGb>,
}

/// Everything that one container group is made from. The same spec always makes the same request, byte for byte.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    pub name: GroupName,
    pub tags: BTreeMap<&'static str, String>,
    pub memory: MemoryGb,
    /// Cores.
    pub cpu: Decimal,
    /// The memory that an earlier attempt ran out of, if that is why it has this much.
    pub ran_out_of: Option<MemoryGb>,
    pub subscription: SubscriptionName,
    pub recipe: Arc<Recipe>,
}

impl GroupSpec {
    /// The values for the placeholders in its variables.
    pub fn placeholders(&self) -> Placeholders {
        let tag = |key| self.tags.get(key).cloned().unwrap_or_default();
        Placeholders {
            message_id: tag(tag::MESSAGE_ID),
            subscription: tag(tag::SUBSCRIPTION_NAME),
            sequence_number: tag(tag::SEQUENCE_NUMBER),
            file_size_mb: tag(tag::FILE_SIZE_MB),
            attempt: tag(tag::ATTEMPT),
            max_attempts: self.recipe.max_attempts.to_string(),
            memory_gb: self.memory.to_string(),
            cpu: self.cpu.to_string(),
        }
    }
}

impl Recipe {
    /// The variable in which Azure's libraries look for the client id of a user-assigned identity.
    pub const CLIENT_ID: &str = "AZURE_CLIENT_ID";

    /// The group for a job.
    pub fn group_for(self: &Arc<Self>, job: &Job) -> GroupSpec {
        let recipe = self.of(&job.subscription);
        let Job { subscription, sequence_number, message_id, file_size, attempt, .. } = job;
        let ran_out_of = job.ran_out_of.filter(|_| recipe.learns());
        let size = recipe.size(*file_size, ran_out_of);
        let mut tags = BTreeMap::from([
            (tag::ACI_SCALER, self.name_prefix.to_string()),
            (tag::MANAGED_BY, self.name_prefix.to_string()),
            (tag::MESSAGE_ID, message_id.to_string()),
            (tag::FILE_SIZE_MB, file_size.to_string()),
            (tag::SUBSCRIPTION_NAME, subscription.to_string()),
            (tag::SEQUENCE_NUMBER, sequence_number.to_string()),
            (tag::ATTEMPT, attempt.to_string()),
        ]);
        if job.attempts_before > 0 {
            tags.insert(tag::ATTEMPTS_BEFORE, job.attempts_before.to_string());
        }
        if let Some(ran_out_of) = ran_out_of {
            tags.insert(tag::RAN_OUT_OF_GB, ran_out_of.to_string());
        }
        GroupSpec {
            name: GroupName::of_attempt(
                &self.stem(subscription, message_id),
                job.attempts_before.saturating_add(*attempt),
            ),
            tags,
            memory: size.memory,
            cpu: size.cpu,
            ran_out_of,
            subscription: subscription.clone(),
            recipe,
        }
    }

    /// The recipe for a subscription's groups. The most specific override is applied last.
    pub(crate) fn of(self: &Arc<Self>, subscription: &SubscriptionName) -> Arc<Self> {
        let mut recipe = self.clone();
        for entry in self.overrides.of(subscription).rev() {
            Arc::make_mut(&mut recipe).apply(entry);
        }
        recipe
    }

    fn apply(&mut self, entry: &Override) {
        replace(&mut self.image, entry.image.as_ref());
        replace(&mut self.cpu, entry.cpu.as_ref());
        replace(&mut self.cpu_multiplier, entry.cpu_multiplier.as_ref());
        replace(&mut self.max_cpu, entry.max_cpu.as_ref());
        replace(&mut self.memory_multiplier, entry.memory_multiplier.as_ref());
        replace(&mut self.min_memory, entry.min_memory.as_ref());
        replace(&mut self.max_memory, entry.max_memory.as_ref());
        if entry.template.is_some() {
            self.template.clone_from(&entry.template);
        }
        self.applied.insert(0, entry.pattern.clone());
    }

    /// The most active groups of a subscription, if it has a cap of its own.
    pub(crate) fn max_instances(&self, subscription: &SubscriptionName) -> Option<u32> {
        self.overrides.of(subscription).find_map(|entry| entry.max_instances)
    }

    /// The start of the names of all groups for a message: `{prefix}-{16 hex digits}`.
    pub(crate) fn stem(&self, subscription: &SubscriptionName, message_id: &MessageId) -> String {
        // Service Bus ignores case in the names of its entities, but not in message ids. The location is part of the hash because
        // Azure suspects fraud if one name is used in several regions.
        let parts = [&self.namespace, &self.topic, subscription.as_str(), &self.location].map(str::to_lowercase);
        let parts = parts.iter().map(String::as_str).chain([message_id.as_str()]);
        GroupName::stem(&self.name_prefix, parts)
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

fn replace<T: Clone>(value: &mut T, by: Option<&T>) {
    if let Some(by) = by {
        value.clone_from(by);
    }
}
