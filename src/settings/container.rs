//! What the containers get as their environment.

use std::collections::BTreeMap;

use super::reader::{Reader, Reported, is_utf8};
use super::reference;
use super::setting::{Accepts, Fallback, Setting};
use crate::container_group::{EnvironmentValue, check_placeholders};

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
    doc: "Variables for the container, which gets them without the prefix: `INSTANCE_TOPIC` becomes `TOPIC`. They are \
          secret: Azure shows only those that `ACI_PLAIN_ENV` lists. Their values may have \
          [placeholders](docs/container-groups.md#what-the-worker-can-know), such as `{{scaler.attempt}}`.",
    accepts: Accepts::Text("a name of 1 to 63 letters, digits and _ after the prefix, with no digit first"),
    fallback: Fallback::Optional,
    secret: true,
};

const SUBSCRIPTION_NAME: Setting = Setting {
    name: "INSTANCE_SUBSCRIPTION_ENV_NAME",
    doc: "The name of the container variable that receives the Service Bus subscription's name. The setting itself does not go \
          to the container.",
    accepts: Accepts::Text("a variable's name (1 to 63 letters, digits and _, with no digit first)"),
    fallback: Fallback::Optional,
    secret: false,
};

const PLAIN_NAMES: Setting = Setting {
    name: "ACI_PLAIN_ENV",
    doc: "Container variables that are not secret, so that everyone who may read a container group can read them: \
          separated by commas, without the prefix `INSTANCE_`; `*` for all.",
    accepts: Accepts::Text("* or a list of container variables, such as TOPIC,MODE"),
    fallback: Fallback::Optional,
    secret: false,
};

pub(super) const ALL: [&Setting; 3] = [&VARIABLES, &SUBSCRIPTION_NAME, &PLAIN_NAMES];

const PREFIX: &str = "INSTANCE_";

/// The variables that are not secret.
enum Plain {
    All,
    These(Vec<String>),
}

impl ContainerEnvironment {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Reported> {
        let plain = reader.optional(&PLAIN_NAMES, parse_plain);
        let subscription_variable = reader.optional(&SUBSCRIPTION_NAME, parse_name);
        let values = read_values(reader);
        let (values, subscription_variable) = (values?, subscription_variable?);
        if let Some(name) = &subscription_variable
            && let Some(other) = values.keys().find(|other| other.eq_ignore_ascii_case(name))
        {
            return Err(reader.refused(&SUBSCRIPTION_NAME, format!("{PREFIX}{other} sets that variable already")));
        }
        let plain = plain?.unwrap_or(Plain::These(Vec::new()));
        if let Plain::These(names) = &plain
            && let Some(unknown) = names.iter().find(|name| !values.contains_key(*name))
        {
            return Err(reader.refused(&PLAIN_NAMES, format!("there is no {PREFIX}{unknown}")));
        }
        let classify = |(name, value): (String, String)| {
            let is_plain = match &plain {
                Plain::All => true,
                Plain::These(names) => names.contains(&name),
            };
            let value = if is_plain { EnvironmentValue::Plain(value) } else { EnvironmentValue::Secure(value.into()) };
            (name, value)
        };
        Ok(Self { variables: values.into_iter().map(classify).collect(), subscription_variable })
    }
}

impl ContainerEnvironment {
    /// The names of all variables that the container gets, with those of the settings that they come from.
    pub(super) fn names(&self) -> Vec<(&str, String)> {
        let names = self.variables.keys().map(|name| (name.as_str(), format!("{PREFIX}{name}")));
        let subscription =
            self.subscription_variable.iter().map(|name| (name.as_str(), SUBSCRIPTION_NAME.name.to_owned()));
        names.chain(subscription).collect()
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
            // To Linux they are two variables, to most people one.
            Some(twin) => Some(format!("it differs from {PREFIX}{twin} only in case")),
            None if parse_name(&name).is_none() => Some(format!("expected {}", VARIABLES.accepts)),
            None if reference::is_unresolved(&value) => {
                Some(format!("expected the value itself, {}", reference::UNRESOLVED))
            }
            None if !is_utf8(&value) => Some("expected UTF-8".to_owned()),
            None => check_placeholders(&value).err().map(|error| error.to_string()),
        };
        match wrong {
            Some(reason) => outcome = Err(reader.refused_secret(variable, reason)),
            None => drop(values.insert(name, value)),
        }
    }
    outcome.map(|()| values)
}

fn parse_plain(text: &str) -> Option<Plain> {
    if text == "*" {
        return Some(Plain::All);
    }
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(parse_name).collect::<Option<_>>().map(Plain::These)
}

/// A variable's name, by the rules of Container Instances.
fn parse_name(name: &str) -> Option<String> {
    let valid = (1..=63).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then(|| name.to_owned())
}
