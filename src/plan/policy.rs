//! What the planner is told by the settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use time::Duration;

use super::sift::Candidate;
use crate::container_group::{GroupName, GroupSpec, GroupTemplate, MemoryGb, NamePrefix, tag};
use crate::message::FileSizeMb;
use crate::settings::Settings;

/// The most attempts that a group's name has room for.
const MAX_ATTEMPT: u32 = 999;

/// The rules' numbers, and what every group is made from.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The rules' numbers.
    pub rules: Rules,
    prefix: NamePrefix,
    namespace: String,
    topic: String,
    memory_multiplier: Decimal,
    min_memory: MemoryGb,
    max_memory: MemoryGb,
    template: Arc<GroupTemplate>,
}

/// The rules' numbers.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Most active groups at a time.
    pub max_instances: u32,
    /// Wait before a message's second attempt; zero means that attempts are not counted.
    pub retry_backoff: Duration,
    /// Longest wait of a new message for a spare group, which doubles with each attempt as the back-off does; it is the
    /// same as [`Rules::retry_backoff`], and only comparisons of rules change it.
    pub spare_wait: Duration,
    /// Attempts after which a message is left alone.
    pub max_attempts: u32,
    /// How long a group may take to start running.
    pub provisioning_timeout: Duration,
    /// How long a group may run, unless for ever.
    pub max_runtime: Option<Duration>,
    /// How long the message of a running group must have been gone before the group goes, if it ever does.
    pub orphan_grace: Option<Duration>,
}

impl Rules {
    /// The numbers that the settings give.
    pub fn new(settings: &Settings) -> Self {
        let Settings { aci, processing, .. } = settings;
        Self {
            max_instances: aci.max_instances,
            retry_backoff: duration(processing.retry_backoff),
            spare_wait: duration(processing.retry_backoff),
            max_attempts: processing.max_attempts.get().min(MAX_ATTEMPT),
            provisioning_timeout: duration(aci.provisioning_timeout),
            max_runtime: aci.max_runtime.map(duration),
            orphan_grace: processing.delete_orphans.then(|| duration(processing.orphan_grace)),
        }
    }
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
            rules: Rules::new(settings),
            prefix: aci.name_prefix.clone(),
            namespace: settings.service_bus.namespace.clone(),
            topic: settings.service_bus.topic.clone(),
            memory_multiplier: aci.memory_multiplier,
            min_memory: aci.min_memory,
            max_memory: aci.max_memory,
            template: Arc::new(template),
        }
    }

    /// The memory that a file of this size needs.
    pub(super) fn memory_for(&self, size: FileSizeMb) -> MemoryGb {
        MemoryGb::for_file(size, self.memory_multiplier, self.min_memory, self.max_memory)
    }

    /// The group that a message gets.
    pub(super) fn group_for(&self, candidate: &Candidate, sequence_number: i64) -> GroupSpec {
        let Candidate { key, file_size, attempt, .. } = candidate;
        let tags = BTreeMap::from([
            (tag::MANAGED_BY, self.prefix.to_string()),
            (tag::MESSAGE_ID, key.message_id.to_string()),
            (tag::FILE_SIZE_MB, file_size.to_string()),
            (tag::SUBSCRIPTION_NAME, key.subscription.clone()),
            (tag::SEQUENCE_NUMBER, sequence_number.to_string()),
            (tag::ATTEMPT, attempt.to_string()),
        ]);
        GroupSpec {
            name: GroupName::for_message(
                &self.prefix,
                &self.namespace,
                &self.topic,
                &self.template.location,
                key,
                *attempt,
            ),
            tags,
            memory: self.memory_for(*file_size),
            subscription: key.subscription.clone(),
            template: self.template.clone(),
        }
    }
}

/// What is too long to compute with is for ever all the same.
fn duration(duration: std::time::Duration) -> Duration {
    /// A hundred years, which may be added to any moment there is.
    const FOR_EVER: Duration = Duration::days(36_500);
    Duration::try_from(duration).unwrap_or(FOR_EVER).min(FOR_EVER)
}
