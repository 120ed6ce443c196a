//! What the planner is told by the settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::sift::Candidate;
use crate::container_group::{GroupName, GroupSpec, GroupTemplate, MemoryGb, NamePrefix, tag};
use crate::settings::Settings;

/// The rules' numbers, and what every group is made from.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Most active groups at a time.
    pub max_instances: u32,
    prefix: NamePrefix,
    namespace: String,
    topic: String,
    memory_multiplier: Decimal,
    min_memory: MemoryGb,
    max_memory: MemoryGb,
    template: Arc<GroupTemplate>,
}

impl Policy {
    /// The policy that the settings describe.
    pub fn new(settings: &Settings) -> Self {
        let aci = &settings.aci;
        let template = GroupTemplate {
            location: aci.location.clone(),
            image: aci.image.clone(),
            cpu: aci.default_cpu,
            registry: settings.registry.clone(),
            environment: settings.container.variables.clone(),
            subscription_variable: settings.container.subscription_variable.clone(),
        };
        Self {
            max_instances: aci.max_instances,
            prefix: aci.name_prefix.clone(),
            namespace: settings.service_bus.namespace.clone(),
            topic: settings.service_bus.topic.clone(),
            memory_multiplier: aci.memory_multiplier,
            min_memory: aci.min_memory,
            max_memory: aci.max_memory,
            template: Arc::new(template),
        }
    }

    /// The group that a message gets.
    pub(super) fn group_for(&self, candidate: &Candidate, sequence_number: i64) -> GroupSpec {
        /// Every message's first group is its only one: a finished group goes before its message is served again.
        const ATTEMPT: u32 = 1;
        let Candidate { key, file_size } = candidate;
        let tags = BTreeMap::from([
            (tag::MANAGED_BY, self.prefix.to_string()),
            (tag::MESSAGE_ID, key.message_id.to_string()),
            (tag::FILE_SIZE_MB, file_size.to_string()),
            (tag::SUBSCRIPTION_NAME, key.subscription.clone()),
            (tag::SEQUENCE_NUMBER, sequence_number.to_string()),
            (tag::ATTEMPT, ATTEMPT.to_string()),
        ]);
        GroupSpec {
            name: GroupName::for_message(
                &self.prefix,
                &self.namespace,
                &self.topic,
                &self.template.location,
                key,
                ATTEMPT,
            ),
            tags,
            memory: MemoryGb::for_file(*file_size, self.memory_multiplier, self.min_memory, self.max_memory),
            subscription: key.subscription.clone(),
            template: self.template.clone(),
        }
    }
}
