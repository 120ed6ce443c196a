//! Which topic the scaler serves, and where it is.

use super::azure::{Cloud, RESOURCE_GROUP_NAME, parse_resource_group};
use super::connection_string::{AMQPS_PORT, ConnectionString};
use super::reader::{Reader, Reported};
use super::service_bus_auth::ServiceBusAuth;
use super::setting::{Accepts, Fallback, Setting};

/// The `SB_*` settings.
#[derive(Clone, Debug)]
pub struct ServiceBusSettings {
    /// The host that is connected to, such as `myns.servicebus.windows.net`; an IPv6 address has no brackets.
    pub host: String,
    pub port: u16,
    /// Whether the connection uses TLS. Only the emulator's does not.
    pub tls: bool,
    /// How the scaler proves who it is.
    pub auth: ServiceBusAuth,
    /// The namespace's name in Azure Resource Manager, such as `myns`.
    pub namespace: String,
    pub topic: String,
    pub resource_group: String,
}

const CONNECTION_STRING: Setting = Setting {
    name: "SB_CONNECTION_STR",
    doc: "A connection string for the namespace, with a policy or a token that may listen. Without it the scaler uses its \
          managed identity, and `SB_NAMESPACE` is required.",
    accepts: Accepts::Text(
        "a connection string (Endpoint=sb://...;SharedAccessKeyName=...;SharedAccessKey=...), or SB_NAMESPACE instead",
    ),
    fallback: Fallback::Optional,
    secret: true,
};

const NAMESPACE: Setting = Setting {
    name: "SB_NAMESPACE",
    doc: "The namespace's name. With `SB_CONNECTION_STR` it is only needed if it is not the first part of the host there.",
    accepts: Accepts::Text("the name alone (1 to 50 letters, digits and hyphens), without .servicebus.windows.net"),
    fallback: Fallback::Optional,
    secret: false,
};

const TOPIC: Setting = Setting {
    name: "SB_TOPIC_NAME",
    doc: "The topic whose subscriptions the scaler serves.",
    accepts: Accepts::Text("a topic's name (1 to 260 letters, digits, and any of -_./ between them)"),
    fallback: Fallback::Required,
    secret: false,
};

const RESOURCE_GROUP: Setting = Setting {
    name: "SB_RESOURCE_GROUP",
    doc: "The resource group of the namespace, if it is not `AZURE_RESOURCE_GROUP`.",
    accepts: Accepts::Text(RESOURCE_GROUP_NAME),
    fallback: Fallback::Optional,
    secret: false,
};

pub(super) const ALL: [&Setting; 4] = [&CONNECTION_STRING, &NAMESPACE, &TOPIC, &RESOURCE_GROUP];

impl ServiceBusSettings {
    /// Reads them. The arguments are what they depend on, if known.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        cloud: Option<Cloud>,
        container_resource_group: Option<&str>,
    ) -> Result<Self, Reported> {
        let endpoint = read_endpoint(reader, cloud);
        let topic = reader.value(&TOPIC, parse_topic);
        let resource_group = reader.optional(&RESOURCE_GROUP, parse_resource_group);
        let ((connection, namespace), topic) = (endpoint?, topic?);
        if let Some(entity) = &connection.entity_path
            && !entity.eq_ignore_ascii_case(&topic)
        {
            let reason = format!("expected an EntityPath that is {} ({topic:?}), or none", TOPIC.name);
            return Err(reader.refused(&CONNECTION_STRING, reason));
        }
        Ok(Self {
            host: connection.host,
            port: connection.port,
            tls: connection.tls,
            auth: connection.auth,
            namespace,
            topic,
            resource_group: resource_group?.or(container_resource_group.map(str::to_owned)).ok_or(Reported)?,
        })
    }
}

/// How the namespace is reached, and its name.
fn read_endpoint(reader: &mut Reader<'_>, cloud: Option<Cloud>) -> Result<(ConnectionString, String), Reported> {
    let connection = reader.optional(&CONNECTION_STRING, |text| Some(ConnectionString::parse(text)));
    let connection = match connection {
        Ok(Some(Err(error))) => Err(reader.refused(&CONNECTION_STRING, error.to_string())),
        Ok(Some(Ok(connection))) => Ok(Some(connection)),
        Ok(None) => Ok(None),
        Err(reported) => Err(reported),
    };
    let namespace = reader.optional(&NAMESPACE, parse_namespace);
    match (connection?, namespace?) {
        (Some(connection), namespace) => {
            let namespace = namespace.or_else(|| namespace_of(&connection.host)).ok_or_else(|| {
                let reason = format!("the host {} in {} does not say it", connection.host, CONNECTION_STRING.name);
                reader.missing(&NAMESPACE, reason)
            })?;
            Ok((connection, namespace))
        }
        (None, Some(namespace)) => {
            let host = format!("{namespace}.{}", cloud.ok_or(Reported)?.service_bus_suffix());
            let auth = ServiceBusAuth::Entra;
            Ok((ConnectionString { host, port: AMQPS_PORT, tls: true, auth, entity_path: None }, namespace))
        }
        (None, None) => Err(reader.missing(&CONNECTION_STRING, format!("expected {}", CONNECTION_STRING.accepts))),
    }
}

/// The namespace that one of Azure's hosts belongs to. Other hosts (this machine, the emulator, a private name) do not say.
fn namespace_of(host: &str) -> Option<String> {
    let (namespace, domain) = host.split_once('.')?;
    domain.starts_with("servicebus.").then(|| namespace.to_owned())
}

/// A namespace's name, by Azure's naming rules (Microsoft.ServiceBus/namespaces) without the least length of 6: outside
/// Azure there are shorter ones.
fn parse_namespace(text: &str) -> Option<String> {
    let valid = text.len() <= 50
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    valid.then(|| text.to_owned())
}

/// A topic's name, by Azure's naming rules (Microsoft.ServiceBus/namespaces/topics).
fn parse_topic(text: &str) -> Option<String> {
    let valid = text.len() <= 260
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    valid.then(|| text.to_owned())
}
