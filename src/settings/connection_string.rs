//! Connection strings of Service Bus.

use secrecy::SecretString;
use url::{Host, Url};

use super::azure::Cloud;
use super::service_bus_auth::ServiceBusAuth;

/// The port of AMQP under TLS from the first byte (AMQP 1.0 part 5, section 5.2).
pub(super) const AMQPS_PORT: u16 = 5671;
/// The port of plain AMQP, where the emulator listens.
const AMQP_PORT: u16 = 5672;

#[derive(Clone, Debug)]
pub(super) struct ConnectionString {
    /// The host to connect to, in lower case; an IPv6 address has no brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) auth: ServiceBusAuth,
    /// The topic (or queue) that the string is limited to.
    pub(super) entity_path: Option<String>,
}

/// Why a connection string cannot be used. The error quotes no value of the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidConnectionString {
    #[error("part {number} has no =")]
    NoEqualsSign {
        /// Which part, from 1.
        number: usize,
    },
    #[error("{part} is given twice")]
    Duplicate { part: &'static str },
    #[error("{part} is missing")]
    Missing { part: &'static str },
    #[error("{part} and {other} exclude each other")]
    Conflict { part: &'static str, other: &'static str },
    #[error("{part} is not {accepted}")]
    Malformed { part: &'static str, accepted: &'static str },
    #[error(
        "TransportType=AmqpWebSockets is not supported: leave it out, and let the scaler reach port {AMQPS_PORT} of the namespace"
    )]
    WebSockets,
    #[error("UseDevelopmentEmulator=true means no TLS, which is for the emulator and not for a namespace of Azure")]
    EmulatorInAzure,
}

const ENDPOINT: &str = "Endpoint";
const HOST_NAME: &str = "HostName";
const KEY_NAME: &str = "SharedAccessKeyName";
const KEY: &str = "SharedAccessKey";
const SIGNATURE: &str = "SharedAccessSignature";
const ENTITY_PATH: &str = "EntityPath";
const EMULATOR: &str = "UseDevelopmentEmulator";
const TRANSPORT: &str = "TransportType";
const WEB_SOCKETS: &str = "AmqpWebSockets";

impl ConnectionString {
    /// Reads a connection string as the official SDKs do: parts end at `;`, a part's name ends at its first `=`, names
    /// have no case, and unknown parts are ignored.
    ///
    /// The endpoint's port only counts for the emulator. The SDKs do not agree on it under TLS (Python's ignores it,
    /// JavaScript's uses it). Strings with one, such as `:443`, come from other protocols, so 5671 is what works.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidConnectionString> {
        let parts = Parts::split(text)?;
        let (host, port) = parts.address()?;
        let tls = !parts.emulator()?;
        if !tls && Cloud::has_service_bus_host(&host) {
            return Err(InvalidConnectionString::EmulatorInAzure);
        }
        // The other values mean AMQP over TCP, or today's SDKs ignore them.
        if parts.get(TRANSPORT).is_some_and(|transport| transport.eq_ignore_ascii_case(WEB_SOCKETS)) {
            return Err(InvalidConnectionString::WebSockets);
        }
        let port = if tls { AMQPS_PORT } else { port.unwrap_or(AMQP_PORT) };
        let entity_path = parts.get(ENTITY_PATH).map(str::to_owned);
        Ok(Self { host, port, tls, auth: parts.auth()?, entity_path })
    }
}

/// The known parts that are not empty.
struct Parts<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Parts<'a> {
    const KNOWN: [&'static str; 8] = [ENDPOINT, HOST_NAME, KEY_NAME, KEY, SIGNATURE, ENTITY_PATH, EMULATOR, TRANSPORT];

    fn split(text: &'a str) -> Result<Self, InvalidConnectionString> {
        let mut parts = Self(Vec::new());
        for (index, part) in text.split(';').enumerate().filter(|(_, part)| !part.trim().is_empty()) {
            let number = index + 1;
            let (name, value) = part.split_once('=').ok_or(InvalidConnectionString::NoEqualsSign { number })?;
            let known = Self::KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(name.trim()));
            let Some(known) = known.filter(|_| !value.trim().is_empty()) else { continue };
            if parts.get(known).is_some() {
                return Err(InvalidConnectionString::Duplicate { part: known });
            }
            parts.0.push((known, value.trim()));
        }
        Ok(parts)
    }

    fn get(&self, part: &'static str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| *name == part).map(|(_, value)| *value)
    }

    fn require(&self, part: &'static str) -> Result<&'a str, InvalidConnectionString> {
        self.get(part).ok_or(InvalidConnectionString::Missing { part })
    }

    fn exclude(&self, part: &'static str, other: &'static str) -> Result<(), InvalidConnectionString> {
        let both = self.get(part).is_some() && self.get(other).is_some();
        if both { Err(InvalidConnectionString::Conflict { part, other }) } else { Ok(()) }
    }

    fn address(&self) -> Result<(String, Option<u16>), InvalidConnectionString> {
        self.exclude(ENDPOINT, HOST_NAME)?;
        let (part, accepted, text) = match self.get(HOST_NAME) {
            Some(host) => (HOST_NAME, "a host", host.to_owned()),
            None => (ENDPOINT, "sb:// and a host", self.require(ENDPOINT)?.to_owned()),
        };
        let address = if part == HOST_NAME && !text.contains("://") { format!("sb://{text}") } else { text };
        parse_address(&address).ok_or(InvalidConnectionString::Malformed { part, accepted })
    }

    fn emulator(&self) -> Result<bool, InvalidConnectionString> {
        match self.get(EMULATOR) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            // The SDKs take anything else for false, but whoever wrote `True` did not want TLS.
            Some(_) => Err(InvalidConnectionString::Malformed { part: EMULATOR, accepted: "true or false" }),
        }
    }

    fn auth(&self) -> Result<ServiceBusAuth, InvalidConnectionString> {
        self.exclude(KEY, SIGNATURE)?;
        self.exclude(KEY_NAME, SIGNATURE)?;
        let Some(signature) = self.get(SIGNATURE) else {
            let (name, key) = (self.require(KEY_NAME)?.to_owned(), SecretString::from(self.require(KEY)?));
            return Ok(ServiceBusAuth::SharedAccessKey { name, key });
        };
        let scheme = signature.split_ascii_whitespace().next().unwrap_or_default();
        if !scheme.eq_ignore_ascii_case(SIGNATURE) {
            let accepted = "a token that begins with SharedAccessSignature";
            return Err(InvalidConnectionString::Malformed { part: SIGNATURE, accepted });
        }
        Ok(ServiceBusAuth::SharedAccessSignature(signature.into()))
    }
}

/// The host and port of `sb://host[:port][/]`.
fn parse_address(address: &str) -> Option<(String, Option<u16>)> {
    let url = Url::parse(address).ok()?;
    let bare = url.scheme() == "sb"
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let host = match url.host()? {
        Host::Domain(name) => name.to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let valid = host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
    (bare && valid && !host.is_empty()).then(|| (host, url.port()))
}

#[cfg(test)]
mod tests;
