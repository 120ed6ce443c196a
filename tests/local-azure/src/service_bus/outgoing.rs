//! Messages to be sent, well-formed or not.

use std::time::Duration;

use serde_amqp::Value;

use super::broker::{MalformedMessage, message::Message};
use super::sections::{self, ValueMap, code};

/// A message to be sent or to be put straight into a topic.
///
/// Every value may be of any AMQP type, even one that the property must not have, so that tests can send what a careless
/// sender would.
#[derive(Clone, Debug, Default)]
pub struct OutgoingMessage {
    message_id: Option<Value>,
    subject: Option<Value>,
    content_type: Option<Value>,
    correlation_id: Option<Value>,
    time_to_live: Option<Duration>,
    annotations: ValueMap,
    application_properties: ValueMap,
    body: Vec<u8>,
    encoded: Option<Vec<u8>>,
}

impl OutgoingMessage {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// A message that is already encoded, or that pretends to be.
    pub fn encoded(bytes: impl Into<Vec<u8>>) -> Self {
        Self { encoded: Some(bytes.into()), ..Self::default() }
    }

    /// Sets the message id: AMQP has them as string, ulong, uuid and binary.
    #[must_use]
    pub fn message_id(mut self, id: impl Into<Value>) -> Self {
        self.message_id = Some(id.into());
        self
    }

    /// Sets the subject, which Service Bus also calls the label.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<Value>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets the content type: AMQP has it as a symbol.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<Value>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the correlation id.
    #[must_use]
    pub fn correlation_id(mut self, id: impl Into<Value>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Sets how long the message lives, to the millisecond.
    #[must_use]
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = Some(time_to_live);
        self
    }

    /// Adds an application property: AMQP has their names as strings, and their values as anything but lists, maps and
    /// arrays.
    #[must_use]
    pub fn property(mut self, name: impl Into<Value>, value: impl Into<Value>) -> Self {
        self.application_properties.insert(name.into(), value.into());
        self
    }

    /// Adds a message annotation: AMQP has their names as symbols.
    #[must_use]
    pub fn annotation(mut self, name: impl Into<Value>, value: impl Into<Value>) -> Self {
        self.annotations.insert(name.into(), value.into());
        self
    }

    /// Sets the body, one data section.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        if let Some(bytes) = &self.encoded {
            return bytes.clone();
        }
        let mut bytes = Vec::new();
        if let Some(time_to_live) = self.time_to_live {
            let milliseconds = u32::try_from(time_to_live.as_millis()).unwrap_or(u32::MAX);
            let header = vec![Value::Bool(false), Value::Null, Value::Uint(milliseconds)];
            bytes.extend(sections::section(code::HEADER, &Value::List(header)));
        }
        if !self.annotations.is_empty() {
            bytes.extend(sections::section(code::MESSAGE_ANNOTATIONS, &Value::Map(self.annotations.clone())));
        }
        let field = |value: &Option<Value>| value.clone().unwrap_or_default();
        let properties = vec![
            field(&self.message_id),
            Value::Null,
            Value::Null,
            field(&self.subject),
            Value::Null,
            field(&self.correlation_id),
            field(&self.content_type),
        ];
        bytes.extend(sections::section(code::PROPERTIES, &Value::List(properties)));
        let application_properties = Value::Map(self.application_properties.clone());
        bytes.extend(sections::section(code::APPLICATION_PROPERTIES, &application_properties));
        bytes.extend(sections::section(code::DATA, &Value::from(serde_amqp::primitives::Binary::from(&self.body[..]))));
        bytes
    }

    /// The message as the broker keeps it. Bytes that are not a message are kept too.
    pub(crate) fn into_stored(self) -> Message {
        let bytes = self.encode();
        Message::decode(&bytes).unwrap_or_else(|MalformedMessage| Message::undecodable(bytes))
    }
}
