//! How the image is pulled.

use secrecy::SecretString;

/// The `ACR_*` settings.
#[derive(Clone, Debug)]
pub enum RegistrySettings {
    /// With a user name and a password.
    Password {
        /// The registry's host, such as `myregistry.azurecr.io`.
        server: String,
        /// The user's name.
        username: String,
        /// The user's password.
        password: SecretString,
    },
    /// With a user-assigned managed identity, which the group is given too.
    Identity {
        /// The registry's host, such as `myregistry.azurecr.io`.
        server: String,
        /// The identity's resource id.
        identity: String,
    },
}
