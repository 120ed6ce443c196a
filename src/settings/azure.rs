//! Where in Azure the scaler works.

use url::Url;

/// The `AZURE_*` settings.
#[derive(Clone, Debug)]
pub struct AzureSettings {
    /// The subscription (of Azure, not of Service Bus) that holds the container groups.
    pub subscription_id: String,
    /// The resource group of the container groups.
    pub resource_group: String,
    /// The client id of a user-assigned managed identity; without it the system-assigned one is used.
    pub client_id: Option<String>,
    /// Azure Resource Manager: scheme, host and port.
    pub resource_manager: Url,
    /// The audience of its tokens, such as `https://management.azure.com`.
    pub resource_manager_audience: String,
}
