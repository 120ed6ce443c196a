//! The recipe for container groups that the settings add up to.

use super::Settings;
use crate::container_group::Recipe;

impl Settings {
    pub fn recipe(&self) -> Recipe {
        let Self { aci, container, group, service_bus, processing, .. } = self;
        Recipe {
            name_prefix: aci.name_prefix.clone(),
            namespace: service_bus.namespace.clone(),
            topic: service_bus.topic.clone(),
            location: aci.location.clone(),
            image: aci.image.clone(),
            cpu: aci.default_cpu,
            cpu_multiplier: aci.cpu_multiplier,
            max_cpu: aci.max_cpu,
            memory_multiplier: aci.memory_multiplier,
            min_memory: aci.min_memory,
            max_memory: aci.max_memory,
            oom_memory_factor: aci.oom_memory_factor,
            max_attempts: processing.max_attempts.get(),
            registry: self.registry.clone(),
            environment: container.variables.clone(),
            subscription_variable: container.subscription_variable.clone(),
            identity: group.identity.clone(),
            template: group.template.clone(),
            overrides: group.overrides.clone(),
            applied: Vec::new(),
        }
    }
}
