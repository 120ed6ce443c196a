//! How the scaler authenticates to Service Bus.

use secrecy::SecretString;

#[derive(Clone, Debug)]
pub enum ServiceBusAuth {
    /// It signs tokens itself, with the key of a shared access policy.
    SharedAccessKey { name: String, key: SecretString },
    /// It was given a signed token.
    SharedAccessSignature(SecretString),
    /// It gets tokens from Microsoft Entra, as for Azure Resource Manager.
    Entra,
}
