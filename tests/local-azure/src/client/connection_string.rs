//! Connection strings, as far as a client with a shared access key needs them.

/// The address of a namespace, and the key for it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) key_name: String,
    pub(super) key: String,
}

impl Endpoint {
    /// `;` divides the parts, and the first `=` a name from its value, because keys end in that sign.
    pub(super) fn parse(connection_string: &str) -> Result<Self, &'static str> {
        let field = |name: &str| {
            let parts = connection_string.split(';').filter_map(|part| part.split_once('='));
            parts.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let value = |name: &str| field(name).map(|(_, value)| value);
        let address = value("Endpoint").ok_or("it has no Endpoint")?;
        let address = address.split_once("://").map_or(address, |(_, rest)| rest).trim_end_matches('/');
        let tls = value("UseDevelopmentEmulator") != Some("true");
        let (host, port) = match address.rsplit_once(':') {
            Some((name, digits)) => (name, digits.parse().map_err(|_| "its Endpoint has a port that is no number")?),
            None => (address, if tls { 5671 } else { 5672 }),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            key_name: value("SharedAccessKeyName").ok_or("it has no SharedAccessKeyName")?.to_owned(),
            key: value("SharedAccessKey").ok_or("it has no SharedAccessKey")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_says_where_and_how_to_connect() {
        let service =
            Endpoint::parse("Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k==");
        let service = service.map(|it| (it.host, it.port, it.tls, it.key));
        assert_eq!(service, Ok(("ns.servicebus.windows.net".to_owned(), 5671, true, "k==".to_owned())));
        let local = "Endpoint=sb://127.0.0.1:5711;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true";
        let local = Endpoint::parse(local).map(|it| (it.host, it.port, it.tls));
        assert_eq!(local, Ok(("127.0.0.1".to_owned(), 5711, false)));
        assert_eq!(Endpoint::parse("Endpoint=sb://h").err(), Some("it has no SharedAccessKeyName"));
    }
}
