//! A namespace to test, and a peer that sends it exactly what a test wants.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use fe2o3_amqp_types::messaging::{AmqpValue, ApplicationProperties, Body, Message, MessageId, Properties};
use fe2o3_amqp_types::primitives::{OrderedMap, SimpleValue};
use hmac::Mac;
use local_azure::service_bus::{OutgoingMessage, ServiceBus, ServiceBusConfig, SubscriptionConfig, Value};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything that a test waits for, and short enough for a failing test.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for an answer that must not arrive.
pub const SILENCE: Duration = Duration::from_millis(300);

pub const TOPIC: &str = "files";
pub const ADDRESS: &str = "files/Subscriptions/all";
pub const MANAGEMENT: &str = "files/Subscriptions/all/$management";

/// A namespace with the topic `files` and its subscription `all`.
pub async fn namespace() -> ServiceBus {
    namespace_with(ServiceBusConfig::new(), SubscriptionConfig::new("all")).await
}

pub async fn namespace_with(config: ServiceBusConfig, subscription: SubscriptionConfig) -> ServiceBus {
    let bus = ServiceBus::start(config).await.expect("a free port");
    bus.create_topic(TOPIC).expect("a new topic");
    bus.create_subscription(TOPIC, subscription).expect("a new subscription");
    bus
}

/// Publishes messages named m1, m2, …
pub fn publish(bus: &ServiceBus, count: usize) {
    let messages = (1..=count).map(|number| OutgoingMessage::new().message_id(format!("m{number}")).body("content"));
    bus.publish_all(TOPIC, messages).expect("the topic is there");
}

pub fn ids(bus: &ServiceBus) -> Vec<String> {
    let messages = bus.peek_all(TOPIC, "all").expect("the subscription is there");
    messages.into_iter().filter_map(|message| message.message_id).collect()
}

/// Waits until a condition is met.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

/// A shared access signature for a resource that is valid until a time.
pub fn signature(resource: &str, key_name: &str, key: &str, until: OffsetDateTime) -> String {
    let resource = utf8_percent_encode(resource, NON_ALPHANUMERIC).to_string();
    let expiry = until.unix_timestamp();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).expect("keys have any length");
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={key_name}")
}

/// A valid signature of the namespace's own key.
pub fn valid_signature(resource: &str) -> String {
    let ServiceBusConfig { key_name, key, .. } = ServiceBusConfig::new();
    signature(resource, &key_name, &key, local_azure::clock::now() + time::Duration::hours(1))
}

/// A connection with one session.
pub struct Peer {
    pub connection: ConnectionHandle<()>,
    pub session: SessionHandle<()>,
    retired: Vec<SessionHandle<()>>,
}

impl Peer {
    /// Connects with the key, so that no token is needed.
    pub async fn connect(bus: &ServiceBus) -> Self {
        let ServiceBusConfig { key_name, key, .. } = ServiceBusConfig::new();
        Self::try_connect(bus, SaslProfile::Plain { username: key_name, password: key }).await.expect("a connection")
    }

    pub async fn anonymous(bus: &ServiceBus) -> Self {
        Self::try_connect(bus, SaslProfile::Anonymous).await.expect("a connection")
    }

    pub async fn try_connect(bus: &ServiceBus, profile: SaslProfile) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", bus.port())).await.expect("the namespace listens");
        stream.set_nodelay(true).expect("a socket");
        let opening = Connection::builder()
            .container_id("peer")
            .scheme("amqp")
            .hostname(Some("127.0.0.1"))
            .sasl_profile(profile)
            .max_frame_size(1_u32 << 16)
            .open_with_stream(stream);
        let mut connection =
            timeout(PATIENCE, opening).await.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
        let session = Session::begin(&mut connection).await.map_err(|error| error.to_string())?;
        Ok(Self { connection, session, retired: Vec::new() })
    }

    /// Attaches a pair of links to a node. If that is refused, the next pair is attached in another session: the AMQP
    /// library may take it for the refused one otherwise.
    pub async fn node(&mut self, address: &str) -> Result<Node, String> {
        let attached = self.attach(address).await;
        if attached.is_err() {
            let next = Session::begin(&mut self.connection).await.map_err(|error| error.to_string())?;
            self.retired.push(std::mem::replace(&mut self.session, next));
        }
        attached
    }

    async fn attach(&mut self, address: &str) -> Result<Node, String> {
        let reply_to = format!("reply-{}", uuid::Uuid::new_v4());
        let receiver = Receiver::builder()
            .name(format!("{reply_to}-in"))
            .source(address)
            .target(reply_to.as_str())
            .attach(&mut self.session)
            .await
            .map_err(|error| error.to_string())?;
        let sender = Sender::attach(&mut self.session, format!("{reply_to}-out"), address);
        let sender = sender.await.map_err(|error| error.to_string())?;
        Ok(Node { sender, receiver, reply_to })
    }

    /// Puts a token, and returns the status.
    pub async fn put_token(&mut self, name: &str, token: &str) -> i64 {
        let mut cbs = self.node("$cbs").await.expect("everybody may put tokens");
        let properties = [("operation", "put-token"), ("type", "jwt"), ("name", name)];
        let reply = cbs.request(&properties, Value::from(token)).await;
        cbs.close().await;
        reply.status
    }
}

/// A pair of links.
pub struct Node {
    sender: Sender,
    pub receiver: Receiver,
    reply_to: String,
}

/// The answer to a request.
#[derive(Debug)]
pub struct Reply {
    pub status: i64,
    pub condition: Option<String>,
    pub description: String,
    pub correlation_id: Option<MessageId>,
    pub body: Value,
}

impl Node {
    pub async fn request(&mut self, properties: &[(&str, &str)], body: Value) -> Reply {
        self.ask(properties, body).await;
        self.reply().await.expect("a reply")
    }

    /// Sends a request only. Its message id is always 1.
    pub async fn ask(&mut self, properties: &[(&str, &str)], body: Value) {
        let mut application_properties = ApplicationProperties::builder();
        for (name, value) in properties {
            application_properties = application_properties.insert(*name, *value);
        }
        let message = Message::builder()
            .properties(Properties {
                message_id: Some(MessageId::Ulong(1)),
                reply_to: Some(self.reply_to.clone()),
                ..Properties::default()
            })
            .application_properties(application_properties.build())
            .body(Body::Value(AmqpValue(body)))
            .build();
        self.sender.send(message).await.expect("requests are accepted");
    }

    pub async fn reply(&mut self) -> Result<Reply, String> {
        let receiving = timeout(PATIENCE, self.receiver.recv::<Body<Value>>());
        let delivery = receiving.await.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
        let message = delivery.into_message();
        let properties = message.application_properties.unwrap_or_default().0;
        let one_of = |names: [&str; 2]| names.iter().find_map(|name| properties.get(*name).cloned());
        let status = match one_of(["statusCode", "status-code"]) {
            Some(SimpleValue::Int(status)) => i64::from(status),
            other => panic!("a status is an int, not {other:?}"),
        };
        let condition = one_of(["errorCondition", "error-condition"]).map(|condition| match condition {
            SimpleValue::Symbol(condition) => condition.into_inner(),
            other => panic!("a condition is a symbol, not {other:?}"),
        });
        let description = match one_of(["statusDescription", "status-description"]) {
            Some(SimpleValue::String(description)) => description,
            _ => String::new(),
        };
        let Body::Value(AmqpValue(body)) = message.body else { panic!("a reply has a value") };
        let correlation_id = message.properties.and_then(|it| it.correlation_id);
        Ok(Reply { status, condition, description, correlation_id, body })
    }

    pub async fn peek(&mut self, from: i64, count: i32) -> Reply {
        self.request(&PEEK, peek_body(from, count, false)).await
    }

    pub async fn close(self) {
        self.sender.close().await.expect("the link was open");
        self.receiver.close().await.expect("the link was open");
    }
}

pub const PEEK: [(&str, &str); 1] = [("operation", "com.microsoft:peek-message")];

pub fn peek_body(from: i64, count: i32, omit_body: bool) -> Value {
    map([
        ("from-sequence-number", Value::Long(from)),
        ("message-count", Value::Int(count)),
        ("omit-message-body", Value::Bool(omit_body)),
    ])
}

pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

impl Reply {
    /// The encoded messages of a page.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let entries = |value: &Value| match value {
            Value::Map(map) => map.clone(),
            _ => OrderedMap::new(),
        };
        let page = entries(&self.body);
        let Some(Value::List(messages)) = page.get(&Value::from("messages")) else { return Vec::new() };
        let bytes = |message: &Value| match entries(message).get(&Value::from("message")) {
            Some(Value::Binary(bytes)) => bytes.to_vec(),
            other => panic!("a message is binary, not {other:?}"),
        };
        messages.iter().map(bytes).collect()
    }

    /// The sequence numbers of a page.
    pub fn numbers(&self) -> Vec<i64> {
        self.messages().iter().map(|message| annotation(message, "x-opt-sequence-number")).collect()
    }
}

/// A long among the annotations of an encoded message, found by its bytes: a symbol, then the number.
pub fn annotation(message: &[u8], name: &str) -> i64 {
    let at = message.windows(name.len()).position(|window| window == name.as_bytes()).expect("the annotation");
    match &message[at + name.len()..] {
        [0x55, small, ..] => i64::from(small.cast_signed()),
        [0x81, number @ ..] => i64::from_be_bytes(*number.first_chunk().expect("eight bytes")),
        _ => panic!("{name} is a long"),
    }
}
