//! How the scaler is let in to Service Bus.

use secrecy::SecretString;

/// How the scaler proves to Service Bus who it is.
#[derive(Clone, Debug)]
pub enum ServiceBusAuth {
    /// It signs tokens itself, with the key of a shared access policy.
    SharedAccessKey {
        /// The policy's name.
        name: String,
        /// The policy's key.
        key: SecretString,
    },
    /// It was given a signed token.
    SharedAccessSignature(SecretString),
    /// It gets tokens from Microsoft Entra, as for Azure Resource Manager.
    Entra,
}
