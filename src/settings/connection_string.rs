//! Connection strings of Service Bus.

use secrecy::SecretString;
use url::{Host, Url};

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
    /// The one topic (or queue) that the string is for.
    pub(super) entity_path: Option<String>,
}

/// A connection string that cannot be used. No value of the string is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidConnectionString {
    #[error("part {number} has no =")]
    NoEqualsSign {
        /// Which part, from 1.
        number: usize,
    },
    #[error("{part} is there twice")]
    Duplicate { part: &'static str },
    #[error("{part} is missing")]
    Missing { part: &'static str },
    #[error("{part} and {other} exclude each other")]
    Conflict { part: &'static str, other: &'static str },
    #[error("{part} is not {accepted}")]
    Malformed { part: &'static str, accepted: &'static str },
}

const ENDPOINT: &str = "Endpoint";
const HOST_NAME: &str = "HostName";
const KEY_NAME: &str = "SharedAccessKeyName";
const KEY: &str = "SharedAccessKey";
const SIGNATURE: &str = "SharedAccessSignature";
const ENTITY_PATH: &str = "EntityPath";
const EMULATOR: &str = "UseDevelopmentEmulator";

impl ConnectionString {
    /// Reads a connection string as the official SDKs do: parts end at `;`, a part's name ends at its first `=`, names
    /// have no case, and unknown parts mean nothing.
    ///
    /// The endpoint's port only counts for the emulator. The SDKs do not agree on it under TLS (Python's ignores it,
    /// JavaScript's takes it); strings with one, such as `:443`, stem from other protocols, so 5671 is what works.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidConnectionString> {
        let parts = Parts::split(text)?;
        let (host, port) = parts.address()?;
        let tls = !parts.emulator()?;
        let port = if tls { AMQPS_PORT } else { port.unwrap_or(AMQP_PORT) };
        let entity_path = parts.get(ENTITY_PATH).map(str::to_owned);
        Ok(Self { host, port, tls, auth: parts.auth()?, entity_path })
    }
}

/// The known parts that are there and not empty.
struct Parts<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Parts<'a> {
    const KNOWN: [&'static str; 7] = [ENDPOINT, HOST_NAME, KEY_NAME, KEY, SIGNATURE, ENTITY_PATH, EMULATOR];

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
            // The SDKs take all else for false; whoever wrote `True` did not mean TLS.
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
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const KEY_PARTS: &str = "SharedAccessKeyName=listen;SharedAccessKey=a2V5PT0=";

    /// `host:port`, whether under TLS, and the credentials.
    fn parse(text: &str) -> String {
        let ConnectionString { host, port, tls, auth, entity_path } = match ConnectionString::parse(text) {
            Ok(connection) => connection,
            Err(error) => return error.to_string(),
        };
        let auth = match auth {
            ServiceBusAuth::SharedAccessKey { name, key } => format!("{name} {}", key.expose_secret()),
            ServiceBusAuth::SharedAccessSignature(token) => token.expose_secret().to_owned(),
            ServiceBusAuth::Entra => unreachable!("no connection string says so"),
        };
        let scheme = if tls { "amqps" } else { "amqp" };
        format!("{scheme} {host} {port} {auth} {}", entity_path.unwrap_or_default()).trim_end().to_owned()
    }

    #[test]
    fn azure_is_reached_under_tls_with_the_key_whole() {
        for text in [
            "Endpoint=sb://myns.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=a2V5PT0=",
            " endpoint = sb://MyNS.servicebus.windows.net ; SHAREDACCESSKEYNAME = listen ;sharedaccesskey= a2V5PT0= ; ",
            "HostName=myns.servicebus.windows.net;SharedAccessKeyName=listen;SharedAccessKey=a2V5PT0=",
            "HostName=sb://myns.servicebus.windows.net;SharedAccessKeyName=listen;SharedAccessKey=a2V5PT0=;Foo=;EntityPath=",
            "Endpoint=sb://myns.servicebus.windows.net:443/;SharedAccessKeyName=listen;SharedAccessKey=a2V5PT0=;\
             UseDevelopmentEmulator=false",
        ] {
            assert_eq!(parse(text), "amqps myns.servicebus.windows.net 5671 listen a2V5PT0=", "{text}");
        }
    }

    #[test]
    fn the_emulator_is_reached_without_tls_at_its_own_port() {
        for (endpoint, expected) in [
            ("sb://localhost", "amqp localhost 5672 listen a2V5PT0="),
            ("sb://127.0.0.1:5711/", "amqp 127.0.0.1 5711 listen a2V5PT0="),
            ("sb://[::1]:5711", "amqp ::1 5711 listen a2V5PT0="),
            ("sb://servicebus_emulator", "amqp servicebus_emulator 5672 listen a2V5PT0="),
        ] {
            assert_eq!(parse(&format!("Endpoint={endpoint};{KEY_PARTS};UseDevelopmentEmulator=true")), expected);
        }
    }

    #[test]
    fn a_signature_and_an_entity_path_are_taken_as_they_are() {
        let text =
            "Endpoint=sb://h.example;SharedAccessSignature=SharedAccessSignature sr=a&sig=b%3D&se=1&skn=n;EntityPath=t";
        assert_eq!(parse(text), "amqps h.example 5671 SharedAccessSignature sr=a&sig=b%3D&se=1&skn=n t");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_shown() {
        let endpoint = "Endpoint=sb://canary.example";
        let signature = "SharedAccessSignature=SharedAccessSignature canary";
        for (text, expected) in [
            (String::new(), "Endpoint is missing"),
            (format!("{KEY_PARTS};Endpoint="), "Endpoint is missing"),
            (format!("{endpoint};canary"), "part 2 has no ="),
            (endpoint.to_owned(), "SharedAccessKeyName is missing"),
            (format!("{endpoint};SharedAccessKeyName=canary"), "SharedAccessKey is missing"),
            (format!("{endpoint};SharedAccessKey=canary"), "SharedAccessKeyName is missing"),
            (format!("{endpoint};{KEY_PARTS};sharedaccesskey=canary"), "SharedAccessKey is there twice"),
            (format!("{endpoint};{endpoint};{KEY_PARTS}"), "Endpoint is there twice"),
            (format!("{endpoint};HostName=canary;{KEY_PARTS}"), "Endpoint and HostName exclude each other"),
            (
                format!("{endpoint};SharedAccessKey=canary;{signature}"),
                "SharedAccessKey and SharedAccessSignature exclude each other",
            ),
            (
                format!("{endpoint};SharedAccessKeyName=canary;{signature}"),
                "SharedAccessKeyName and SharedAccessSignature exclude each other",
            ),
            (
                format!("{endpoint};SharedAccessSignature=canary"),
                "SharedAccessSignature is not a token that begins with SharedAccessSignature",
            ),
            (
                format!("{endpoint};{KEY_PARTS};UseDevelopmentEmulator=True"),
                "UseDevelopmentEmulator is not true or false",
            ),
        ] {
            assert_eq!(parse(&text), expected, "{text}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_and_perhaps_a_port() {
        for endpoint in [
            "canary.example",
            "https://canary.example",
            "sb://",
            "sb://canary.example/topic",
            "sb://canary.example?a=b",
            "sb://user:canary@h.example",
            "sb://canary.example:port",
            "sb://canary example",
            "sb://canary%20.example",
        ] {
            assert_eq!(
                parse(&format!("Endpoint={endpoint};{KEY_PARTS}")),
                "Endpoint is not sb:// and a host",
                "{endpoint}"
            );
        }
        assert_eq!(parse(&format!("HostName=canary/topic;{KEY_PARTS}")), "HostName is not a host");
    }
}
