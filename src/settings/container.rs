//! What the containers get as their environment.

use std::collections::BTreeMap;

use super::reader::{Reader, Reported, is_utf8};
use super::setting::{Accepts, Fallback, Setting};
use crate::container_group::EnvironmentValue;

/// The `INSTANCE_*` settings.
#[derive(Clone, Debug, Default)]
pub struct ContainerEnvironment {
    /// The variables, named as the container sees them.
    pub variables: BTreeMap<String, EnvironmentValue>,
    /// The variable that receives the subscription's name.
    pub subscription_variable: Option<String>,
}

pub(super) const VARIABLES: Setting = Setting {
    name: "INSTANCE_*",
    doc: "Go to the container without the prefix: `INSTANCE_TOPIC` becomes `TOPIC`. What is secret by its name (`KEY`, \
          `SECRET`, `PASSWORD`, `TOKEN`, `CONNECTION` or `CONN_STR` in it) cannot be read in Azure afterwards.",
    accepts: Accepts::Text("a name of 1 to 63 letters, digits and _ after the prefix"),
    fallback: Fallback::Optional,
    secret: true,
};

const SUBSCRIPTION_NAME: Setting = Setting {
    name: "INSTANCE_SUBSCRIPTION_ENV_NAME",
    doc: "Names the container's variable that receives the Service Bus subscription's name. It does not go to the \
          container itself.",
    accepts: Accepts::Text("a variable's name (1 to 63 letters, digits and _)"),
    fallback: Fallback::Optional,
    secret: false,
};

const SECURE_NAMES: Setting = Setting {
    name: "ACI_SECURE_ENV",
    doc: "More container variables that are secret, separated by commas and without the prefix `INSTANCE_`.",
    accepts: Accepts::Text("a list of container variables, such as LICENCE,SIGNING_PIN"),
    fallback: Fallback::Optional,
    secret: false,
};

pub(super) const ALL: [&Setting; 3] = [&VARIABLES, &SUBSCRIPTION_NAME, &SECURE_NAMES];

const PREFIX: &str = "INSTANCE_";
const SECRET_WORDS: [&str; 6] = ["KEY", "SECRET", "PASSWORD", "TOKEN", "CONNECTION", "CONN_STR"];

impl ContainerEnvironment {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Reported> {
        let secure_names = reader.optional(&SECURE_NAMES, parse_names);
        let subscription_variable = reader.optional(&SUBSCRIPTION_NAME, parse_name);
        let values = read_values(reader);
        let (values, subscription_variable) = (values?, subscription_variable?);
        if let Some(name) = &subscription_variable
            && let Some(other) = values.keys().find(|other| other.eq_ignore_ascii_case(name))
        {
            return Err(reader.refused(&SUBSCRIPTION_NAME, format!("{PREFIX}{other} sets that variable already")));
        }
        let secure_names = secure_names?.unwrap_or_default();
        // A secret that is listed under a wrong name would be there for everybody to read.
        if let Some(unknown) = secure_names.iter().find(|name| !values.contains_key(*name)) {
            return Err(reader.refused(&SECURE_NAMES, format!("there is no {PREFIX}{unknown}")));
        }
        let classify = |(name, value): (String, String)| {
            let secure = is_secret_by_name(&name) || secure_names.contains(&name);
            let value = if secure { EnvironmentValue::Secure(value.into()) } else { EnvironmentValue::Plain(value) };
            (name, value)
        };
        Ok(Self { variables: values.into_iter().map(classify).collect(), subscription_variable })
    }
}

/// The variables by the names that the container sees. All that are wrong are reported.
fn read_values(reader: &mut Reader<'_>) -> Result<BTreeMap<String, String>, Reported> {
    let mut values = BTreeMap::<String, String>::new();
    let mut outcome = Ok(());
    for (name, value) in reader.with_prefix(PREFIX) {
        let variable = format!("{PREFIX}{name}");
        if variable == SUBSCRIPTION_NAME.name {
            continue;
        }
        let twin = values.keys().find(|other| other.eq_ignore_ascii_case(&name));
        let wrong = match twin {
            // Two variables that only differ in case are two in Linux and one in most people's minds.
            Some(twin) => Some(format!("it differs from {PREFIX}{twin} only in case")),
            None if parse_name(&name).is_none() => Some(format!("expected {}", VARIABLES.accepts)),
            None if !is_utf8(&value) => Some("expected UTF-8".to_owned()),
            None => None,
        };
        match wrong {
            Some(reason) => outcome = Err(reader.refused_secret(variable, reason)),
            None => drop(values.insert(name, value)),
        }
    }
    outcome.map(|()| values)
}

fn is_secret_by_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

fn parse_names(text: &str) -> Option<Vec<String>> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(parse_name).collect()
}

/// A variable's name by Container Instances' rules.
fn parse_name(name: &str) -> Option<String> {
    let valid = (1..=63).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then(|| name.to_owned())
}
