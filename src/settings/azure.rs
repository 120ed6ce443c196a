//! Where in Azure the scaler works.

use url::{Host, Url};
use uuid::Uuid;

use super::environment::Environment;
use super::error::SettingsErrors;
use super::reader::{Reader, Reported};
use super::setting::{Accepts, Fallback, Setting};

/// The `AZURE_*` settings.
#[derive(Clone, Debug)]
pub struct AzureSettings {
    /// The subscription (of Azure, not of Service Bus) that holds the container groups.
    pub subscription_id: String,
    pub resource_group: String,
    /// The client id of a user-assigned managed identity; without it the system-assigned one is used.
    pub client_id: Option<String>,
    pub cloud: Cloud,
    /// Azure Resource Manager: scheme, host and port.
    pub resource_manager: Url,
    /// The audience of its tokens, such as `https://management.azure.com`.
    pub resource_manager_audience: String,
}

const SUBSCRIPTION_ID: Setting = Setting {
    name: "AZURE_SUBSCRIPTION_ID",
    doc: "The Azure subscription of the container groups and of the Service Bus namespace.",
    accepts: Accepts::Text(GUID),
    fallback: Fallback::Required,
    secret: false,
};

const RESOURCE_GROUP: Setting = Setting {
    name: "AZURE_RESOURCE_GROUP",
    doc: "The resource group of the container groups.",
    accepts: Accepts::Text(RESOURCE_GROUP_NAME),
    fallback: Fallback::Required,
    secret: false,
};

const CLIENT_ID: Setting = Setting {
    name: "AZURE_CLIENT_ID",
    doc: "The client id of the user-assigned managed identity that the scaler uses; without it, the scaler uses the \
          system-assigned one. For a service principal or a workload identity, the application id.",
    accepts: Accepts::Text(GUID),
    fallback: Fallback::Optional,
    secret: false,
};

const CLOUD: Setting = Setting {
    name: "AZURE_CLOUD",
    doc: "The Azure cloud of the subscription.",
    accepts: Accepts::Text("AzureCloud, AzureUSGovernment or AzureChinaCloud"),
    fallback: Fallback::Default("AzureCloud"),
    secret: false,
};

const RESOURCE_MANAGER_ENDPOINT: Setting = Setting {
    name: "AZURE_RESOURCE_MANAGER_ENDPOINT",
    doc: "The address of Azure Resource Manager. Every request carries a token, so only the cloud's own address and, for \
          local tests, this machine are accepted.",
    accepts: Accepts::Text(
        "the cloud's own address, such as https://management.azure.com, or one of this machine, such as http://127.0.0.1:7072",
    ),
    fallback: Fallback::Optional,
    secret: false,
};

pub(super) const ALL: [&Setting; 5] =
    [&SUBSCRIPTION_ID, &RESOURCE_GROUP, &CLIENT_ID, &CLOUD, &RESOURCE_MANAGER_ENDPOINT];

/// Variables that Azure's own libraries build credentials from. They are not settings of ours.
const CREDENTIALS: [&str; 3] = ["AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"];

const GUID: &str = "a GUID, such as 00000000-0000-0000-0000-000000000001";
/// What [`parse_resource_group`] accepts.
pub(super) const RESOURCE_GROUP_NAME: &str =
    "a resource group's name (1 to 90 letters, digits, and any of -_.(), but no dot at its end)";

/// A cloud, and the names that differ from one cloud to another.
///
/// Sources: `ArmEnvironment` of the .NET SDK (Azure.ResourceManager) for Resource Manager and its audience, Microsoft's
/// lists of required URLs for Service Bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// `AzureCloud`.
    Public,
    /// `AzureUSGovernment`.
    UsGovernment,
    /// `AzureChinaCloud`.
    China,
}

impl Cloud {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Reported> {
        reader.value(&CLOUD, |text| match text.to_ascii_lowercase().as_str() {
            "azurecloud" => Some(Self::Public),
            "azureusgovernment" => Some(Self::UsGovernment),
            "azurechinacloud" => Some(Self::China),
            _ => None,
        })
    }

    /// What follows a namespace's name in its host name.
    pub(super) fn service_bus_suffix(self) -> &'static str {
        match self {
            Self::Public => "servicebus.windows.net",
            Self::UsGovernment => "servicebus.usgovcloudapi.net",
            Self::China => "servicebus.chinacloudapi.cn",
        }
    }

    /// Whether a host belongs to a namespace in one of the clouds.
    pub(super) fn has_service_bus_host(host: &str) -> bool {
        let domains = [Self::Public, Self::UsGovernment, Self::China].map(Self::service_bus_suffix);
        let host = host.trim_end_matches('.');
        domains
            .iter()
            .any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }

    /// The address of Azure Resource Manager, which is also the audience of its tokens.
    fn resource_manager(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::UsGovernment => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }
}

impl AzureSettings {
    /// Reads these settings alone.
    pub fn from_environment(environment: &impl Environment) -> Result<Self, SettingsErrors> {
        let mut reader = Reader::new(environment);
        let cloud = Cloud::read(&mut reader);
        let settings = Self::read(&mut reader, cloud);
        reader.finish(settings)
    }

    pub(super) fn read(reader: &mut Reader<'_>, cloud: Result<Cloud, Reported>) -> Result<Self, Reported> {
        for name in CREDENTIALS {
            reader.refuse_reference(name);
        }
        let subscription_id = reader.value(&SUBSCRIPTION_ID, parse_guid);
        let resource_group = reader.value(&RESOURCE_GROUP, parse_resource_group);
        let client_id = reader.optional(&CLIENT_ID, parse_guid);
        let known_cloud = cloud.as_ref().ok().copied();
        let endpoint = reader.optional(&RESOURCE_MANAGER_ENDPOINT, |text| parse_resource_manager(text, known_cloud));
        let cloud = cloud?;
        let audience = cloud.resource_manager();
        Ok(Self {
            subscription_id: subscription_id?,
            resource_group: resource_group?,
            client_id: client_id?,
            cloud,
            resource_manager: endpoint?
                .unwrap_or_else(|| Url::parse(audience).expect("the clouds' addresses are addresses")),
            resource_manager_audience: audience.to_owned(),
        })
    }
}

/// A GUID with hyphens, in lower case.
pub(super) fn parse_guid(text: &str) -> Option<String> {
    let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    Uuid::try_parse(text).ok().filter(|_| hyphenated).map(|guid| guid.to_string())
}

/// A resource group's name, by Azure's naming rules (Microsoft.Resources/resourceGroups).
pub(super) fn parse_resource_group(text: &str) -> Option<String> {
    let chars = text.chars().count();
    let valid = (1..=90).contains(&chars)
        && text.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c))
        && !text.ends_with('.');
    valid.then(|| text.to_owned())
}

/// The cloud's own address, or one of this machine. If the cloud is unknown, that error is reported instead.
fn parse_resource_manager(text: &str, cloud: Option<Cloud>) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let local = matches!(url.scheme(), "http" | "https") && is_loopback(&url.host()?);
    let clouds_own = cloud.is_none_or(|cloud| Url::parse(cloud.resource_manager()).is_ok_and(|own| own == url));
    (bare && (local || clouds_own)).then_some(url)
}

fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
