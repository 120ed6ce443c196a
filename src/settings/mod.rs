//! Everything that can be set, read once from the environment.
//!
//! Each variable has one [`Setting`] in the file of its concern: its name, its default, what it accepts and what it means.
//! The parser, the errors and the README's tables all come from it. All errors are reported at once, and no secret is ever
//! shown.

mod aci;
mod additions;
mod azure;
mod connection_string;
mod container;
mod dot_env;
mod environment;
mod error;
mod group;
mod image;
mod logs;
mod overrides;
mod processing;
mod reader;
mod recipe;
mod reference;
mod registry;
mod service_bus;
mod service_bus_auth;
mod setting;
mod template;
mod unknown;

pub use aci::AciSettings;
pub use azure::{AzureSettings, Cloud};
pub use container::ContainerEnvironment;
pub use dot_env::{DotEnvError, load_dot_env};
pub use environment::{Environment, ProcessEnvironment};
pub use error::{SettingError, SettingsErrors, ShownValue};
pub use group::GroupSettings;
pub use logs::{ContainerLines, LogSettings};
pub use processing::ProcessingSettings;
pub use reference::is_unresolved as is_unresolved_reference;
pub use service_bus::ServiceBusSettings;
pub use service_bus_auth::ServiceBusAuth;
pub use setting::{Accepts, Fallback, Setting};
pub use unknown::SettingWarning;

/// Untrusted bytes of files, for the targets in tests/fuzz.
#[cfg(fuzzing)]
pub mod fuzzing {
    use super::{DotEnvError, dot_env};

    /// Reads a `.env` file, and changes nothing.
    pub fn check_dot_env(text: &[u8]) -> Result<(), DotEnvError> {
        dot_env::check(text)
    }
}

use reader::{Reader, Reported};

use crate::container_group::Registry;

#[derive(Clone, Debug)]
pub struct Settings {
    pub azure: AzureSettings,
    pub aci: AciSettings,
    /// How the image is pulled, where that needs credentials.
    pub registry: Option<Registry>,
    /// What the groups have besides the worker, and what differs by subscription.
    pub group: GroupSettings,
    pub service_bus: ServiceBusSettings,
    pub processing: ProcessingSettings,
    pub container: ContainerEnvironment,
    pub logs: LogSettings,
}

impl Settings {
    /// Reads all settings.
    ///
    /// # Errors
    /// All errors in all settings.
    pub fn from_environment(environment: &impl Environment) -> Result<Self, SettingsErrors> {
        let mut reader = Reader::new(environment);
        let settings = Self::read(&mut reader);
        reader.finish(settings)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Reported> {
        let cloud = azure::Cloud::read(reader);
        let known_cloud = cloud.as_ref().ok().copied();
        let azure = AzureSettings::read(reader, cloud);
        let resource_group = azure.as_ref().ok().map(|azure| azure.resource_group.as_str());
        let aci = AciSettings::read(reader);
        let registry = registry::read(reader, aci.as_ref().ok().map(|aci| aci.image.as_str()));
        let service_bus = ServiceBusSettings::read(reader, known_cloud, resource_group);
        let processing = ProcessingSettings::read(reader);
        let container = ContainerEnvironment::read(reader);
        let known_registry = registry.as_ref().ok().and_then(Option::as_ref);
        let group = GroupSettings::read(reader, aci.as_ref().ok(), known_registry, container.as_ref().ok());
        let logs = LogSettings::read(reader);
        Ok(Self {
            service_bus: service_bus?,
            azure: azure?,
            aci: aci?,
            group: group?,
            registry: registry?,
            processing: processing?,
            container: container?,
            logs: logs?,
        })
    }
}

/// The settings of one concern, which are a table of the README.
pub struct Concern {
    pub title: &'static str,
    pub settings: &'static [&'static Setting],
}

/// All settings by concern, in the order of the README.
pub static CONCERNS: [Concern; 9] = [
    Concern { title: "Azure", settings: &azure::ALL },
    Concern { title: "Service Bus", settings: &service_bus::ALL },
    Concern { title: "Container groups", settings: &aci::ALL },
    Concern { title: "Registry", settings: &registry::ALL },
    Concern { title: "The containers' environment", settings: &container::ALL },
    Concern { title: "Identity, network, tags and logs of the groups", settings: &additions::ALL },
    Concern { title: "Templates and overrides", settings: &group::ALL },
    Concern { title: "Passes, attempts and clean-up", settings: &processing::ALL },
    Concern { title: "The scaler's log", settings: &logs::ALL },
];

/// All settings, in the order of the README.
pub fn all_settings() -> impl Iterator<Item = &'static Setting> {
    CONCERNS.iter().flat_map(|concern| concern.settings.iter().copied())
}

/// A warning for each environment variable that looks like a setting and is not one.
pub fn unknown_settings(environment: &impl Environment) -> Vec<SettingWarning> {
    unknown::find(environment)
}
