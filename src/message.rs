//! What the scaler knows of a Service Bus message: its identity, its place in the subscription and its file size.
//!
//! The body is never looked at.

use std::fmt;
use std::sync::Arc;

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// A message id in canonical text, unique within its subscription.
///
/// AMQP message ids are strings, ulongs, uuids or binaries (AMQP 1.0 part 3, section 3.2.4). A string stays as it
/// is, a ulong is written in decimal, a uuid hyphenated in lower case and a binary in lower-case hex.
///
/// Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Arc<str>);

impl MessageId {
    /// The longest id that fits a resource tag's value (256 characters); Service Bus itself allows 128.
    pub const MAX_CHARS: usize = 256;

    /// Accepts the canonical text of an id.
    ///
    /// # Errors
    /// When it is empty or longer than [`MessageId::MAX_CHARS`].
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidMessage> {
        let text = text.into();
        match text.chars().count() {
            0 => Err(InvalidMessage::NoMessageId),
            1..=Self::MAX_CHARS => Ok(Self(text.into())),
            chars => Err(InvalidMessage::MessageIdTooLong { chars }),
        }
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message as the scaler names it: its subscription and its id there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    /// The subscription's name.
    pub subscription: String,
    /// The message's id.
    pub message_id: MessageId,
}

/// A file's size in MiB, finite and not negative, as the message's `file_size_mb` gave it.
///
/// Kept as a decimal, so that memory is computed without floating-point dust. Sizes beyond what a [`Decimal`]
/// holds (7.9 × 10²⁸) are held at that limit: every one of them gets the largest group anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileSizeMb(Decimal);

impl FileSizeMb {
    /// Accepts a decimal number.
    pub fn from_decimal(value: Decimal) -> Result<Self, InvalidMessage> {
        if value.is_sign_negative() && !value.is_zero() {
            return Err(InvalidMessage::FileSizeNegative { value: value.to_string() });
        }
        Ok(Self(value.abs().normalize()))
    }

    /// Accepts a float by its shortest decimal text: 0.1 is one tenth.
    pub fn from_f64(value: f64) -> Result<Self, InvalidMessage> {
        if !value.is_finite() {
            return Err(InvalidMessage::FileSizeNotFinite { value: value.to_string() });
        }
        Self::from_text(&value.to_string())
    }

    /// Accepts a float by its shortest decimal text: 0.1 is one tenth.
    pub fn from_f32(value: f32) -> Result<Self, InvalidMessage> {
        if !value.is_finite() {
            return Err(InvalidMessage::FileSizeNotFinite { value: value.to_string() });
        }
        Self::from_text(&value.to_string())
    }

    /// Accepts a numeric string, such as `50`, `0.5` or `1e3`; white space around it is ignored.
    pub fn from_text(text: &str) -> Result<Self, InvalidMessage> {
        let trimmed = text.trim();
        if let Ok(value) = trimmed.parse().or_else(|_| Decimal::from_scientific(trimmed)) {
            return Self::from_decimal(value);
        }
        // Not every number fits a Decimal, by its size or by its digits; an f64 comes near enough to those that do not.
        let looks_numeric = trimmed.contains(|c: char| c.is_ascii_digit());
        match trimmed.parse::<f64>() {
            Ok(value) if looks_numeric && value < 0.0 => Err(InvalidMessage::FileSizeNegative { value: clip(trimmed) }),
            Ok(value) if looks_numeric => Ok(Self(Decimal::from_f64(value).unwrap_or(Decimal::MAX).normalize())),
            Ok(_) => Err(InvalidMessage::FileSizeNotFinite { value: clip(trimmed) }),
            Err(_) => Err(InvalidMessage::FileSizeNotANumber { found: format!("the string {:?}", clip(text)) }),
        }
    }

    /// The number of MiB.
    pub fn get(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for FileSizeMb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// At most 64 characters of a value that a sender chose, for an error text.
fn clip(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Why a message cannot be given a container group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// The message has no id, so nothing could tell its container group from another's.
    #[error("it has no message id; every message needs one, unique within its subscription")]
    NoMessageId,
    /// The id does not fit the tag that names the message on its group.
    #[error("its message id has {chars} characters; at most {} are accepted", MessageId::MAX_CHARS)]
    MessageIdTooLong {
        /// Length of the id.
        chars: usize,
    },
    /// The application property is missing.
    #[error("it has no application property file_size_mb; a number of MiB is needed")]
    NoFileSize,
    /// The property is no number and no numeric string.
    #[error("its file_size_mb is {found}; a number of MiB is needed, or a string that holds one")]
    FileSizeNotANumber {
        /// What it is instead.
        found: String,
    },
    /// The number is infinite or not a number.
    #[error("its file_size_mb is {value}; a finite number of MiB is needed")]
    FileSizeNotFinite {
        /// The number.
        value: String,
    },
    /// The number is below zero.
    #[error("its file_size_mb is {value}; it must not be negative")]
    FileSizeNegative {
        /// The number.
        value: String,
    },
    /// The message is not valid AMQP; only its sequence number could be read.
    #[error("it could not be decoded: {reason}")]
    Undecodable {
        /// What the decoder said.
        reason: String,
    },
}

/// The broker's state of a message (`x-opt-message-state`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageState {
    /// Waiting, or locked by a receiver: peeking does not tell which.
    #[default]
    Active,
    /// Set aside by a receiver, who alone can fetch it by its sequence number.
    Deferred,
    /// Not yet due.
    Scheduled,
}

/// A message as a peek shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeekedMessage {
    /// Its place in the subscription, unique and growing.
    pub sequence_number: i64,
    /// Its id, or why it has none that can be used.
    pub message_id: Result<MessageId, InvalidMessage>,
    /// Its file size, or why it has none that can be used.
    pub file_size_mb: Result<FileSizeMb, InvalidMessage>,
    /// Its state at the broker.
    pub state: MessageState,
    /// When it came, if the broker says so.
    pub enqueued_at: Option<OffsetDateTime>,
    /// When it expires, unless never.
    pub expires_at: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(text: &str) -> Result<String, InvalidMessage> {
        FileSizeMb::from_text(text).map(|size| size.to_string())
    }

    #[test]
    fn a_numeric_string_is_a_size() {
        const LONG: &str = "1.50000000000000000000000000000000000001e0";
        for (text, expected) in
            [("50", "50"), (" 0.30 ", "0.3"), ("1e3", "1000"), ("-0", "0"), ("+7", "7"), ("1e-40", "0"), (LONG, "1.5")]
        {
            assert_eq!(size(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_size_beyond_a_decimal_is_held_at_its_limit() {
        assert_eq!(size("1e300"), Ok(Decimal::MAX.to_string()));
        assert_eq!(FileSizeMb::from_f64(f64::MAX).map(FileSizeMb::get), Ok(Decimal::MAX));
    }

    #[test]
    fn what_is_no_finite_number_of_mib_is_refused_with_its_reason() {
        assert!(matches!(size("-1"), Err(InvalidMessage::FileSizeNegative { .. })));
        assert!(matches!(size("-1e300"), Err(InvalidMessage::FileSizeNegative { .. })));
        assert!(matches!(size("inf"), Err(InvalidMessage::FileSizeNotFinite { .. })));
        assert!(matches!(size("NaN"), Err(InvalidMessage::FileSizeNotFinite { .. })));
        assert!(matches!(size("fifty"), Err(InvalidMessage::FileSizeNotANumber { .. })));
        assert!(matches!(size(""), Err(InvalidMessage::FileSizeNotANumber { .. })));
        assert!(matches!(size("50 MB"), Err(InvalidMessage::FileSizeNotANumber { .. })));
        assert!(matches!(FileSizeMb::from_f64(f64::INFINITY), Err(InvalidMessage::FileSizeNotFinite { .. })));
        assert!(matches!(FileSizeMb::from_f64(-0.5), Err(InvalidMessage::FileSizeNegative { .. })));
    }

    #[test]
    fn a_value_that_a_sender_chose_is_clipped_in_the_reason() {
        let reason = size(&"x".repeat(10_000)).unwrap_err().to_string();
        assert!(reason.chars().count() < 200, "{reason}");
    }

    #[test]
    fn an_id_is_neither_empty_nor_longer_than_a_tag() {
        assert_eq!(MessageId::new(""), Err(InvalidMessage::NoMessageId));
        assert!(MessageId::new("é".repeat(256)).is_ok());
        assert_eq!(MessageId::new("é".repeat(257)), Err(InvalidMessage::MessageIdTooLong { chars: 257 }));
    }

    proptest! {
        #[test]
        fn a_float_is_the_decimal_that_it_prints_as(value in 0.0..1e12_f64) {
            let size = FileSizeMb::from_f64(value).unwrap().get();
            prop_assert_eq!(size, Decimal::from_str_exact(&value.to_string()).or_else(|_| value.to_string().parse()).unwrap());
        }
    }
}
