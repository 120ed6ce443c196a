//! What the containers get as their environment.

use std::collections::BTreeMap;

use secrecy::SecretString;

/// The `INSTANCE_*` settings.
#[derive(Clone, Debug, Default)]
pub struct ContainerEnvironment {
    /// The variables, named as the container sees them.
    pub variables: BTreeMap<String, EnvironmentValue>,
    /// The variable that receives the subscription's name.
    pub subscription_variable: Option<String>,
}

/// The value of a container's variable.
#[derive(Clone, Debug)]
pub enum EnvironmentValue {
    /// Anybody who can read the group may read it.
    Plain(String),
    /// Azure never shows it again (`secureValue`).
    Secure(SecretString),
}
