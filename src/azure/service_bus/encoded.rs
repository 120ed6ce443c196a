//! An encoded value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The name by which `serde_amqp` 0.18 recognizes a value that must stay encoded (`constants.rs`).
const STAYS_ENCODED: &str = "__LAZY_VALUE";

/// A value that is not decoded.
///
/// `serde_amqp`'s own `LazyValue` cannot be read from a message of several frames: it accepts only an owned buffer, and the
/// reader of such a message has a borrowed one. A page of messages larger than the service's frame of 64 KiB is such a
/// message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoded(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(STAYS_ENCODED, AnyBuffer)
    }
}

struct AnyBuffer;

impl Visitor<'_> for AnyBuffer {
    type Value = Encoded;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the bytes of an AMQP value")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Encoded, E> {
        Ok(Encoded(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Encoded, E> {
        Ok(Encoded(bytes))
    }
}
