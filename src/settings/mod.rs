//! Everything that can be set, read once from the environment.

mod aci;
mod azure;
mod container;
mod processing;
mod registry;
mod service_bus;

pub use aci::AciSettings;
pub use azure::AzureSettings;
pub use container::{ContainerEnvironment, EnvironmentValue};
pub use processing::ProcessingSettings;
pub use registry::RegistrySettings;
pub use service_bus::{ServiceBusAuth, ServiceBusSettings};

/// What the scaler is set to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where in Azure it works.
    pub azure: AzureSettings,
    /// What its container groups are like.
    pub aci: AciSettings,
    /// How the image is pulled, where that needs credentials.
    pub registry: Option<RegistrySettings>,
    /// Which topic it looks at.
    pub service_bus: ServiceBusSettings,
    /// How it goes about it.
    pub processing: ProcessingSettings,
    /// What its containers get as their environment.
    pub container: ContainerEnvironment,
}
