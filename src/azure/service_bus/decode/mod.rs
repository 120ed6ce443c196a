//! Decodes peeked messages, so that one odd message never hides the others of its page.
//!
//! It reads a message section by section and value by value, and only as far as needed: it skips an application property of an
//! unknown type, a content type of the wrong type, and the body. It reports what it cannot read as an error of the message,
//! with the sequence number.
//!
//! Sources: AMQP 1.0 part 3, section 3.2 (sections of a message); azure-docs `service-bus-amqp-protocol-guide.md`
//! (the broker's annotations).

mod decimal;
mod wire;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use wire::{Malformed, Value, Values};

use crate::message::{FileSizeMb, InvalidMessage, MessageId, MessageState, PeekedMessage};

/// The application property that holds a file's size.
const FILE_SIZE_MB: &str = "file_size_mb";

/// The encoded messages in the body of a reply, `{"messages": [{"message": binary}, …]}`; none in an empty one.
///
/// # Errors
/// What is wrong with the reply, if it has another form.
pub(super) fn messages_of_reply(body: &[u8]) -> Result<Vec<&[u8]>, String> {
    let map = match Values::new(body).next() {
        None | Some(Ok(Value::Null)) => return Ok(Vec::new()),
        Some(Ok(Value::Map(map))) => map,
        Some(Ok(other)) => return Err(format!("the reply's body is {}", other.kind())),
        Some(Err(malformed)) => return Err(format!("the reply's body is malformed: {malformed}")),
    };
    let Some(Value::List(list)) = map.get("messages") else {
        return Err("the reply holds no list of messages".to_owned());
    };
    list.map(|entry| match entry {
        Ok(Value::Map(entry)) => match entry.get("message") {
            Some(Value::Binary(message)) => Ok(message),
            _ => Err("an entry of the reply holds no message".to_owned()),
        },
        Ok(other) => Err(format!("an entry of the reply is {}", other.kind())),
        Err(malformed) => Err(format!("the reply's list of messages is malformed: {malformed}")),
    })
    .collect()
}

/// Reads an encoded message.
///
/// Returns `None` if the sequence number cannot be read, because nothing else identifies the message.
pub(super) fn message(encoded: &[u8]) -> Option<PeekedMessage> {
    let sections = Sections::read(encoded);
    let annotation = |key| sections.message_annotations.as_ref()?.get(key);
    let sequence_number = match annotation("x-opt-sequence-number")? {
        Value::Signed(number) => number,
        Value::Unsigned(number) => number.try_into().ok()?,
        _ => return None,
    };
    let enqueued_at = match annotation("x-opt-enqueued-time") {
        Some(Value::Timestamp(millis)) => Some(millis),
        _ => None,
    };
    Some(PeekedMessage {
        sequence_number,
        message_id: sections.message_id(),
        file_size_mb: sections.file_size_mb(),
        state: state(annotation("x-opt-message-state").as_ref()),
        enqueued_at: enqueued_at.and_then(moment),
        expires_at: sections.expires_at(enqueued_at),
    })
}

/// The sections to read.
#[derive(Default)]
struct Sections<'a> {
    header: Option<Values<'a>>,
    message_annotations: Option<Values<'a>>,
    properties: Option<Values<'a>>,
    application_properties: Option<Values<'a>>,
    /// What ended the reading before the body was reached.
    malformed: Option<Malformed>,
}

impl<'a> Sections<'a> {
    fn read(encoded: &'a [u8]) -> Self {
        let mut sections = Self::default();
        for section in Values::new(encoded) {
            let mut described = match section {
                Ok(Value::Described(described)) => described,
                Ok(_) => continue,
                Err(malformed) => {
                    sections.malformed = Some(malformed);
                    break;
                }
            };
            let Some(Ok((Value::Unsigned(descriptor), value))) = described.next_pair() else { continue };
            match (descriptor, value) {
                (0x70, Value::List(fields)) => sections.header = Some(fields),
                (0x72, Value::Map(entries)) => sections.message_annotations = Some(entries),
                (0x73, Value::List(fields)) => sections.properties = Some(fields),
                (0x74, Value::Map(entries)) => sections.application_properties = Some(entries),
                // The body and what follows it.
                (0x75..=0x78, _) => break,
                _ => {}
            }
        }
        sections
    }

    fn message_id(&self) -> Result<MessageId, InvalidMessage> {
        match field(self.properties.as_ref(), 0) {
            Some(Value::String(text)) => match str::from_utf8(text) {
                Ok(text) => MessageId::new(text),
                Err(_) => Err(undecodable("its message id is not UTF-8")),
            },
            Some(Value::Unsigned(number)) => MessageId::new(number.to_string()),
            Some(Value::Uuid(bytes)) => MessageId::new(Uuid::from_bytes(bytes).to_string()),
            Some(Value::Binary(bytes)) => MessageId::new(hex(bytes)),
            Some(Value::Null) | None => Err(self.missing(InvalidMessage::NoMessageId)),
            Some(other) => Err(undecodable(&format!("its message id is {}", other.kind()))),
        }
    }

    fn file_size_mb(&self) -> Result<FileSizeMb, InvalidMessage> {
        let found = self.application_properties.as_ref().and_then(|properties| properties.get(FILE_SIZE_MB));
        match found {
            Some(Value::Unsigned(number)) => FileSizeMb::from_decimal(number.into()),
            Some(Value::Signed(number)) => FileSizeMb::from_decimal(number.into()),
            Some(Value::Float(number)) => FileSizeMb::from_f32(number),
            Some(Value::Double(number)) => FileSizeMb::from_f64(number),
            Some(Value::Decimal32(bits)) => FileSizeMb::from_text(&decimal::text_of_32(bits)),
            Some(Value::Decimal64(bits)) => FileSizeMb::from_text(&decimal::text_of_64(bits)),
            Some(Value::Decimal128(bits)) => FileSizeMb::from_text(&decimal::text_of_128(bits)),
            Some(Value::String(text) | Value::Symbol(text)) => FileSizeMb::from_text(&String::from_utf8_lossy(text)),
            Some(other) => Err(InvalidMessage::FileSizeNotANumber { found: other.kind().to_owned() }),
            None => Err(self.missing(InvalidMessage::NoFileSize)),
        }
    }

    /// The broker's time of arrival plus the time to live, as the SDKs compute it: the sender's own time of expiry does not
    /// change when a message is forwarded or sent again, and is then in the past (azure-sdk-for-net#38875).
    fn expires_at(&self, enqueued_at: Option<i64>) -> Option<OffsetDateTime> {
        /// The largest value in a header; for longer times the SDKs set the times of creation and of expiry.
        const UNBOUNDED: u64 = u32::MAX as u64;
        let timestamp = |index| match field(self.properties.as_ref(), index) {
            Some(Value::Timestamp(millis)) => Some(millis),
            _ => None,
        };
        let expires_at = timestamp(8);
        let time_to_live = match (expires_at.zip(timestamp(9)), field(self.header.as_ref(), 2)) {
            (Some((expires_at, created_at)), _) => expires_at.checked_sub(created_at),
            (None, Some(Value::Unsigned(millis))) if millis < UNBOUNDED => i64::try_from(millis).ok(),
            (None, Some(Value::Unsigned(_))) => return None,
            (None, _) => None,
        };
        match (enqueued_at, time_to_live) {
            (Some(enqueued_at), Some(millis)) => moment(enqueued_at.checked_add(millis)?),
            _ => moment(expires_at?),
        }
    }

    /// Why something is missing: it was left out, or the bytes before it cannot be read.
    fn missing(&self, left_out: InvalidMessage) -> InvalidMessage {
        self.malformed.map_or(left_out, |malformed| undecodable(&malformed.to_string()))
    }
}

/// The nth field of a section; an unreadable field hides those after it.
fn field<'a>(section: Option<&Values<'a>>, index: usize) -> Option<Value<'a>> {
    section?.clone().nth(index)?.ok()
}

/// A time outside the years −9999 to 9999 counts as none.
fn moment(millis: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::UNIX_EPOCH.checked_add(Duration::milliseconds(millis))
}

fn state(annotation: Option<&Value<'_>>) -> MessageState {
    match annotation {
        Some(Value::Signed(1) | Value::Unsigned(1)) => MessageState::Deferred,
        Some(Value::Signed(2) | Value::Unsigned(2)) => MessageState::Scheduled,
        _ => MessageState::Active,
    }
}

fn undecodable(reason: &str) -> InvalidMessage {
    InvalidMessage::Undecodable { reason: reason.to_owned() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests;
