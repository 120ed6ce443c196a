//! The only code that talks to Azure.

mod arm;
mod arm_gates;
mod arm_list;
mod arm_refusal;
mod bad_answer;
pub(crate) mod container_instances;
pub mod credential;
pub(crate) mod deployed_app;
pub(crate) mod diagnosis;
#[cfg(fuzzing)]
pub mod fuzzing;
mod identity_transport;
pub mod service_bus;
pub(crate) mod topic_subscriptions;

use std::sync::Arc;

use arm::Arm;
use container_instances::ContainerInstances;
use credential::{Credential, CredentialError};
use diagnosis::Diagnosis;
use service_bus::{PEEK_TIMEOUT, ServiceBus};
use topic_subscriptions::TopicSubscriptions;

use crate::clock::Clock;
use crate::http::Http;
use crate::services::Services;
use crate::settings::{Environment, Settings};

/// Azure's services, as the scaler uses them.
pub(crate) type AzureServices = Services<ContainerInstances, TopicSubscriptions, ServiceBus>;

/// The services in the settings, with the environment's identity. This opens no connection.
pub(crate) fn services(
    settings: &Settings,
    environment: &impl Environment,
    clock: &Clock,
) -> Result<AzureServices, CredentialError> {
    Ok(services_and_diagnosis(settings, environment, clock)?.0)
}

/// The same, and the diagnosis of the scaler itself.
pub(crate) fn services_and_diagnosis(
    settings: &Settings,
    environment: &impl Environment,
    clock: &Clock,
) -> Result<(AzureServices, Diagnosis), CredentialError> {
    let http = Http::new();
    let variable = |name: &str| environment.get(name);
    let credential = Arc::new(Credential::from_environment(variable, &settings.azure, &http, clock.clone())?);
    let arm = Arc::new(Arm::new(&settings.azure, http, credential.clone(), clock.clone()));
    let services = Services {
        groups: ContainerInstances::new(arm.clone(), settings),
        subscriptions: TopicSubscriptions::new(arm.clone(), settings),
        messages: ServiceBus::new(&settings.service_bus, credential, clock.clone(), PEEK_TIMEOUT),
    };
    Ok((services, Diagnosis::new(arm, settings)))
}
