//! The sources of tokens: a credential of `azure_identity` for each kind of identity, over the scaler's own HTTP client.

use std::sync::Arc;

use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::http::Http;
use crate::settings::Cloud;

/// Retries of a request for a token, within some two seconds, if it may still succeed. `azure_core`'s default is eight times
/// within a minute: [`TOKEN_TIMEOUT`](super::TOKEN_TIMEOUT) would come first, and hide what is wrong with the identity.
const TOKEN_RETRIES: u32 = 2;

pub(super) fn options(http: &Http, cloud: Cloud) -> ClientOptions {
    let cloud = match cloud {
        // Not set, because AKS and others name the cloud's authority in AZURE_AUTHORITY_HOST.
        Cloud::Public => None,
        Cloud::UsGovernment => Some(CloudConfiguration::AzureGovernment),
        Cloud::China => Some(CloudConfiguration::AzureChina),
    };
    let retry = ExponentialRetryOptions { max_retries: TOKEN_RETRIES, ..ExponentialRetryOptions::default() };
    ClientOptions {
        retry: RetryOptions::exponential(retry),
        transport: Some(Transport::new(Arc::new(http.clone()))),
        cloud: cloud.map(Arc::new),
        ..ClientOptions::default()
    }
}

pub(super) fn managed_identity(
    client_id: Option<String>,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options =
        ManagedIdentityCredentialOptions { user_assigned_id: client_id.map(UserAssignedId::ClientId), client_options };
    Ok(ManagedIdentityCredential::new(Some(options))?)
}

pub(super) fn service_principal(
    tenant: &str,
    client: String,
    secret: &SecretString,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options = ClientSecretCredentialOptions { client_options };
    Ok(ClientSecretCredential::new(tenant, client, secret.expose_secret().to_owned().into(), Some(options))?)
}

/// Without options it would create `azure_core`'s own HTTP client, which is not compiled in, and panic.
pub(super) fn workload_identity(
    tenant_id: Option<String>,
    client_id: Option<String>,
    token_file: String,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options = WorkloadIdentityCredentialOptions {
        credential_options: ClientAssertionCredentialOptions { client_options },
        client_id,
        tenant_id,
        token_file_path: Some(token_file.into()),
    };
    Ok(WorkloadIdentityCredential::new(Some(options))?)
}
