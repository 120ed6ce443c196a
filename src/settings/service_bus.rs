//! Which topic the scaler looks at, and how it is let in.

use secrecy::SecretString;

/// The `SB_*` settings.
#[derive(Clone, Debug)]
pub struct ServiceBusSettings {
    /// The host that is connected to, such as `myns.servicebus.windows.net`.
    pub host: String,
    /// The port that is connected to.
    pub port: u16,
    /// Whether the connection is under TLS. Only the emulator's is not.
    pub tls: bool,
    /// How the scaler proves who it is.
    pub auth: ServiceBusAuth,
    /// The namespace's name in Azure Resource Manager, such as `myns`.
    pub namespace: String,
    /// The topic's name.
    pub topic: String,
    /// The resource group of the namespace.
    pub resource_group: String,
}

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
