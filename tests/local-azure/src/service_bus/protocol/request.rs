//! Requests to `$cbs` and `$management`, and their replies.

use serde_amqp::Value;
use serde_amqp::primitives::Symbol;

use crate::service_bus::sections::{self, ValueMap, code, lookup, text};

/// A request, decoded leniently: only the types of what is read matter.
#[derive(Debug)]
pub(super) struct Request {
    /// Echoed as the reply's correlation id, in the same type.
    pub(super) message_id: Value,
    pub(super) reply_to: Option<String>,
    properties: ValueMap,
    /// The content of the amqp-value section.
    pub(super) body: Value,
}

impl Request {
    /// Nothing if the bytes are not a message.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut request =
            Self { message_id: Value::Null, reply_to: None, properties: ValueMap::new(), body: Value::Null };
        for section in sections::split(bytes)? {
            match (section.code, section.value()?) {
                (code::PROPERTIES, Value::List(fields)) => {
                    request.message_id = fields.first().cloned().unwrap_or_default();
                    request.reply_to = fields.get(4).and_then(text).map(str::to_owned);
                }
                (code::APPLICATION_PROPERTIES, Value::Map(properties)) => request.properties = properties,
                (code::AMQP_VALUE, body) => request.body = body,
                _ => {}
            }
        }
        Some(request)
    }

    /// The text of an application property, empty if there is none.
    pub(super) fn property(&self, name: &str) -> &str {
        lookup(&self.properties, name).and_then(text).unwrap_or_default()
    }

    /// A value in the map that the body is.
    pub(super) fn argument(&self, name: &str) -> Option<&Value> {
        match &self.body {
            Value::Map(map) => lookup(map, name),
            _ => None,
        }
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: i32,
    pub(super) description: String,
    pub(super) condition: Option<String>,
    pub(super) body: Value,
}

/// How a node spells the names of a reply's properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `$cbs`: status-code.
    Dashed,
    /// `$management`: statusCode.
    Camel,
}

impl Reply {
    pub(super) fn success(status: i32, description: &str, body: Value) -> Self {
        Self { status, description: description.to_owned(), condition: None, body }
    }

    pub(super) fn failure(status: i32, condition: &str, description: impl Into<String>) -> Self {
        Self { status, description: description.into(), condition: Some(condition.to_owned()), body: Value::Null }
    }

    /// The reply's message.
    pub(super) fn encode(&self, correlation_id: &Value, spelling: Spelling) -> Vec<u8> {
        let [status, description, condition] = match spelling {
            Spelling::Dashed => ["status-code", "status-description", "error-condition"],
            Spelling::Camel => ["statusCode", "statusDescription", "errorCondition"],
        };
        let mut properties = ValueMap::from_iter([
            (Value::from(status), Value::Int(self.status)),
            (Value::from(description), Value::from(self.description.as_str())),
        ]);
        if let Some(name) = &self.condition {
            properties.insert(Value::from(condition), Value::Symbol(Symbol::from(name.as_str())));
        }
        let mut fields = vec![Value::Null; 5];
        fields.push(correlation_id.clone());
        let mut bytes = sections::section(code::PROPERTIES, &Value::List(fields));
        bytes.extend(sections::section(code::APPLICATION_PROPERTIES, &Value::Map(properties)));
        bytes.extend(sections::section(code::AMQP_VALUE, &self.body));
        bytes
    }
}
