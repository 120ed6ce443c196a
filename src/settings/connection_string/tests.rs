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
fn no_namespace_of_azure_is_reached_without_tls() {
    for host in [
        "myns.servicebus.windows.net",
        "MyNS.ServiceBus.Windows.net.",
        "myns.privatelink.servicebus.windows.net",
        "myns.servicebus.usgovcloudapi.net",
        "myns.servicebus.chinacloudapi.cn",
    ] {
        let text = format!("Endpoint=sb://{host};{KEY_PARTS};UseDevelopmentEmulator=true");
        let expected =
            "UseDevelopmentEmulator=true means no TLS, which is for the emulator and not for a namespace of Azure";
        assert_eq!(parse(&text), expected, "{host}");
    }
    let emulator = format!("Endpoint=sb://myservicebus.windows.net.example;{KEY_PARTS};UseDevelopmentEmulator=true");
    assert!(parse(&emulator).starts_with("amqp "));
}

#[test]
fn amqp_over_tcp_may_be_asked_for() {
    for transport in ["Amqp", "AmqpTcp", "NetMessaging", ""] {
        let text = format!("Endpoint=sb://h.example;{KEY_PARTS};TransportType={transport}");
        assert_eq!(parse(&text), "amqps h.example 5671 listen a2V5PT0=", "{transport}");
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
        (format!("{endpoint};{KEY_PARTS};sharedaccesskey=canary"), "SharedAccessKey is given twice"),
        (format!("{endpoint};{endpoint};{KEY_PARTS}"), "Endpoint is given twice"),
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
        (format!("{endpoint};{KEY_PARTS};UseDevelopmentEmulator=True"), "UseDevelopmentEmulator is not true or false"),
        (
            format!("{endpoint};{KEY_PARTS};transporttype=amqpWebSockets"),
            "TransportType=AmqpWebSockets is not supported: leave it out, and let the scaler reach port 5671 of the namespace",
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
