//! Splits an encoded AMQP message into its sections (AMQP 1.0 part 3, section 3.2) and joins them, without decoding their
//! contents, so that the broker passes on what a sender wrote, byte for byte.

use std::fmt::Write as _;

use serde_amqp::Value;
use serde_amqp::primitives::{OrderedMap, Timestamp};
use time::OffsetDateTime;
use uuid::Uuid;

/// Descriptor codes of the sections.
pub(crate) mod code {
    pub(crate) const HEADER: u8 = 0x70;
    pub(crate) const DELIVERY_ANNOTATIONS: u8 = 0x71;
    pub(crate) const MESSAGE_ANNOTATIONS: u8 = 0x72;
    pub(crate) const PROPERTIES: u8 = 0x73;
    pub(crate) const APPLICATION_PROPERTIES: u8 = 0x74;
    pub(crate) const DATA: u8 = 0x75;
    pub(crate) const AMQP_VALUE: u8 = 0x77;
}

/// An AMQP map as it comes, whatever the types of its keys.
pub(crate) type ValueMap = OrderedMap<Value, Value>;

/// One section of a message.
pub(crate) struct Section<'a> {
    /// What it is, one of [`code`] or another.
    pub(crate) code: u8,
    /// The section with its descriptor.
    pub(crate) bytes: &'a [u8],
}

impl Section<'_> {
    /// What the descriptor describes, or nothing if it does not decode.
    pub(crate) fn value(&self) -> Option<Value> {
        match serde_amqp::from_slice(self.bytes).ok()? {
            Value::Described(described) => Some(described.value),
            _ => None,
        }
    }
}

/// Splits a message into its sections; nothing if they are not well-formed.
pub(crate) fn split(message: &[u8]) -> Option<Vec<Section<'_>>> {
    let mut sections = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (bytes, after) = rest.split_at_checked(encoded_len(rest)?)?;
        // The descriptor is a ulong, in its short or its long form.
        let ([0, 0x53, code, ..] | [0, 0x80, 0, 0, 0, 0, 0, 0, 0, code, ..]) = *bytes else { return None };
        sections.push(Section { code, bytes });
        rest = after;
    }
    Some(sections)
}

/// Encodes a section.
pub(crate) fn section(code: u8, value: &Value) -> Vec<u8> {
    let mut bytes = vec![0, 0x53, code];
    bytes.extend(encode(value));
    bytes
}

/// Encodes a value.
pub(crate) fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    serde_amqp::to_vec(value).expect("AMQP values encode into memory")
}

/// Looks up a key that may be a string or a symbol.
pub(crate) fn lookup<'a>(map: &'a ValueMap, key: &str) -> Option<&'a Value> {
    map.iter().find(|(candidate, _)| text(candidate) == Some(key)).map(|(_, value)| value)
}

/// The text of a string or a symbol.
pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Symbol(symbol) => Some(symbol.as_str()),
        _ => None,
    }
}

/// A point in time, to the millisecond.
pub(crate) fn timestamp(at: OffsetDateTime) -> Value {
    let milliseconds = at.unix_timestamp() * 1_000 + i64::from(at.millisecond());
    Value::Timestamp(Timestamp::from_milliseconds(milliseconds))
}

/// A time to the millisecond, as clients get it, so that locks end exactly when clients expect it.
pub(crate) fn to_millisecond(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_millisecond(at.millisecond()).unwrap_or(at)
}

/// A uuid.
pub(crate) fn uuid(id: Uuid) -> Value {
    Value::Uuid(id.into_bytes().into())
}

/// The uuid in a value.
pub(crate) fn as_uuid(value: &Value) -> Option<Uuid> {
    match value {
        Value::Uuid(id) => Some(Uuid::from_bytes(*id.as_inner())),
        _ => None,
    }
}

/// An integer of any AMQP type.
pub(crate) fn integer(value: &Value) -> Option<i128> {
    Some(match *value {
        Value::Ubyte(number) => number.into(),
        Value::Ushort(number) => number.into(),
        Value::Uint(number) => number.into(),
        Value::Ulong(number) => number.into(),
        Value::Byte(number) => number.into(),
        Value::Short(number) => number.into(),
        Value::Int(number) => number.into(),
        Value::Long(number) => number.into(),
        _ => return None,
    })
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The number of bytes of the encoded value that `bytes` begins with, its descriptors among them.
fn encoded_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while *bytes.get(at)? == 0 {
        at += 1;
        at += primitive_len(bytes.get(at..)?)?;
    }
    Some(at + primitive_len(bytes.get(at..)?)?)
}

/// The number of bytes of a value without a descriptor (AMQP 1.0 part 1, section 1.2): the upper half of its format
/// code tells the width of the value or of its size.
fn primitive_len(bytes: &[u8]) -> Option<usize> {
    Some(match *bytes.first()? >> 4 {
        0x4 => 1,
        0x5 => 2,
        0x6 => 3,
        0x7 => 5,
        0x8 => 9,
        0x9 => 17,
        0xa | 0xc | 0xe => 2 + usize::from(*bytes.get(1)?),
        0xb | 0xd | 0xf => 5 + usize::try_from(u32::from_be_bytes(bytes.get(1..5)?.try_into().ok()?)).ok()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_into_its_sections() {
        let mut message = section(code::HEADER, &Value::List(vec![Value::Bool(true)]));
        message.extend(section(code::AMQP_VALUE, &Value::String("x".repeat(300))));
        let sections = split(&message).expect("well-formed");
        assert_eq!(sections.iter().map(|section| section.code).collect::<Vec<_>>(), [0x70, 0x77]);
        assert_eq!(sections[1].value(), Some(Value::String("x".repeat(300))));
    }

    #[test]
    fn what_is_cut_short_or_not_described_is_no_message() {
        let message = section(code::AMQP_VALUE, &Value::String("text".to_owned()));
        assert!(split(&message[..message.len() - 1]).is_none());
        assert!(split(b"\x40").is_none());
        assert!(split(&[0]).is_none());
        assert!(split(&vec![0; 100_000]).is_none());
    }
}
