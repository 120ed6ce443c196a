//! A message as the broker keeps it: in the sender's own bytes, with only the header and the annotations decoded.

use std::sync::Arc;

use serde_amqp::Value;
use serde_amqp::primitives::Symbol;
use time::{Duration, OffsetDateTime};

use crate::service_bus::sections::{self, Section, ValueMap, as_uuid, code, hex, text, timestamp};

/// The bytes are not an AMQP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not an AMQP message")]
pub struct MalformedMessage;

/// A message without what its subscription knows about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    durable: bool,
    priority: Option<u8>,
    /// How long the sender lets it live.
    pub(crate) time_to_live: Option<Duration>,
    annotations: ValueMap,
    properties: Vec<u8>,
    application_properties: Vec<u8>,
    /// The body and the footer.
    body: Vec<u8>,
}

/// What a queue knows about a message and writes on every copy that leaves it.
pub(crate) struct Stamp {
    pub(crate) sequence_number: i64,
    pub(crate) enqueued_sequence_number: i64,
    pub(crate) enqueued_at: OffsetDateTime,
    pub(crate) delivery_count: u32,
    pub(crate) time_to_live: Option<Duration>,
    /// 0 active, 1 deferred.
    pub(crate) state: i32,
    pub(crate) locked_until: Option<OffsetDateTime>,
}

impl Message {
    /// Parses the bytes of a message.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MalformedMessage> {
        let mut message = Self::default();
        for section in sections::split(bytes).ok_or(MalformedMessage)? {
            match section.code {
                code::HEADER => message.read_header(&section),
                code::DELIVERY_ANNOTATIONS => {}
                code::MESSAGE_ANNOTATIONS => match section.value() {
                    Some(Value::Map(annotations)) => message.annotations = annotations,
                    _ => return Err(MalformedMessage),
                },
                code::PROPERTIES => message.properties = section.bytes.to_vec(),
                code::APPLICATION_PROPERTIES => message.application_properties = section.bytes.to_vec(),
                _ => message.body.extend_from_slice(section.bytes),
            }
        }
        Ok(message)
    }

    /// Keeps bytes that are not a message, to be passed on unchanged after the broker's own sections.
    pub(crate) fn undecodable(bytes: Vec<u8>) -> Self {
        Self { body: bytes, ..Self::default() }
    }

    /// The copy of the message that leaves the broker.
    ///
    /// The header is written in full: .NET needs a delivery count even when it is 0, which `serde_amqp` leaves out.
    pub(crate) fn encode(&self, stamp: &Stamp, omit_body: bool) -> Vec<u8> {
        let header = Value::List(vec![
            Value::Bool(self.durable),
            Value::Ubyte(self.priority.unwrap_or(DEFAULT_PRIORITY)),
            stamp.time_to_live.map_or(Value::Null, |ttl| Value::Uint(milliseconds(ttl))),
            Value::Bool(stamp.delivery_count == 0),
            Value::Uint(stamp.delivery_count),
        ]);
        let mut bytes = sections::section(code::HEADER, &header);
        if omit_body {
            let size = i32::try_from(self.body.len()).unwrap_or(i32::MAX);
            let size = ValueMap::from_iter([(symbol("omitted-message-body-size"), Value::Int(size))]);
            bytes.extend(sections::section(code::DELIVERY_ANNOTATIONS, &Value::Map(size)));
        }
        bytes.extend(sections::section(code::MESSAGE_ANNOTATIONS, &Value::Map(self.stamped_annotations(stamp))));
        bytes.extend_from_slice(&self.properties);
        bytes.extend_from_slice(&self.application_properties);
        if !omit_body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// The application properties, in order, whatever their types; none if they do not decode.
    pub(crate) fn application_properties(&self) -> ValueMap {
        match decode_section(&self.application_properties) {
            Some(Value::Map(map)) => map,
            _ => ValueMap::new(),
        }
    }

    /// The fields of the properties section, in the order of AMQP 1.0 part 3, section 3.2.4.
    pub(crate) fn properties(&self) -> Vec<Value> {
        match decode_section(&self.properties) {
            Some(Value::List(fields)) => fields,
            _ => Vec::new(),
        }
    }

    /// One of the sender's annotations.
    pub(crate) fn annotation(&self, name: &str) -> Option<&Value> {
        sections::lookup(&self.annotations, name)
    }

    /// A copy that says why it was dead-lettered, in the application properties that the service uses for it.
    pub(crate) fn dead_lettered(self: &Arc<Self>, reason: Option<&str>, description: Option<&str>) -> Arc<Self> {
        if reason.is_none() && description.is_none() {
            return Arc::clone(self);
        }
        let mut properties = self.application_properties();
        for (name, value) in [("DeadLetterReason", reason), ("DeadLetterErrorDescription", description)] {
            if let Some(value) = value {
                properties.insert(Value::from(name), Value::from(value));
            }
        }
        let application_properties = sections::section(code::APPLICATION_PROPERTIES, &Value::Map(properties));
        Arc::new(Self { application_properties, ..Self::clone(self) })
    }

    fn read_header(&mut self, section: &Section<'_>) {
        let Some(Value::List(fields)) = section.value() else { return };
        self.durable = matches!(fields.first(), Some(Value::Bool(true)));
        if let Some(Value::Ubyte(priority)) = fields.get(1) {
            self.priority = Some(*priority);
        }
        if let Some(Value::Uint(ttl)) = fields.get(2) {
            self.time_to_live = Some(Duration::milliseconds(i64::from(*ttl)));
        }
    }

    fn stamped_annotations(&self, stamp: &Stamp) -> ValueMap {
        let mut annotations = self.annotations.clone();
        annotations.insert(symbol("x-opt-sequence-number"), Value::Long(stamp.sequence_number));
        annotations.insert(symbol("x-opt-enqueue-sequence-number"), Value::Long(stamp.enqueued_sequence_number));
        annotations.insert(symbol("x-opt-enqueued-time"), timestamp(stamp.enqueued_at));
        annotations.insert(symbol("x-opt-message-state"), Value::Int(stamp.state));
        if let Some(until) = stamp.locked_until {
            annotations.insert(symbol("x-opt-locked-until"), timestamp(until));
        }
        annotations
    }
}

/// The canonical text of a message id: a string as it is, a ulong in decimal, a uuid hyphenated, a binary in hex.
pub(crate) fn message_id_text(id: &Value) -> Option<String> {
    match id {
        Value::Ulong(number) => Some(number.to_string()),
        Value::Uuid(_) => Some(as_uuid(id)?.to_string()),
        Value::Binary(bytes) => Some(hex(bytes)),
        other => text(other).map(str::to_owned),
    }
}

/// AMQP 1.0 part 3, section 3.2.1.
const DEFAULT_PRIORITY: u8 = 4;

fn decode_section(bytes: &[u8]) -> Option<Value> {
    Section { code: *bytes.get(2)?, bytes }.value()
}

fn symbol(name: &str) -> Value {
    Value::Symbol(Symbol::from(name))
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.whole_milliseconds()).unwrap_or(u32::MAX)
}
