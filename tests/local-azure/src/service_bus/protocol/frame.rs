//! Frames (AMQP 1.0 part 2, section 2.3).

use bytes::BytesMut;
use fe2o3_amqp::frames::amqp::{FrameBody, FrameDecoder};
use fe2o3_amqp_types::definitions::{Error, ErrorCondition};
use serde::Serialize;
use serde_amqp::Value;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::Symbol;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use crate::service_bus::broker::subscription::Outcome;
use crate::service_bus::sections::{encode, lookup, text};

/// The largest frame, in bytes: what the standard tier announces.
pub(super) const MAX_FRAME_SIZE: u32 = 65_536;

/// Type codes in a frame's header.
pub(super) const AMQP: u8 = 0;
pub(super) const SASL: u8 = 1;

/// Descriptor codes of what is written or read by hand.
pub(super) const DISPOSITION: u8 = 0x15;
pub(super) const ERROR: u8 = 0x1d;
pub(super) const REJECTED: u8 = 0x25;
const ACCEPTED: u8 = 0x24;
const RELEASED: u8 = 0x26;
const MODIFIED: u8 = 0x27;

/// What was received on a channel.
pub(super) enum Incoming {
    Frame(FrameBody),
    Disposition(ReceiverDisposition),
}

/// A receiver reports the outcome of deliveries.
///
/// Decoded here because the JavaScript SDK names the fields of a rejection's error by strings where AMQP has symbols,
/// which `fe2o3_amqp_types` refuses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReceiverDisposition {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) settled: bool,
    /// Nothing for a state that settles nothing, such as `received`.
    pub(super) outcome: Option<Outcome>,
    /// The outcome to echo: the same type, without the error, which Python's SDK takes for a failure.
    pub(super) echo: Value,
}

/// Splits the stream into frames, each without its size.
pub(super) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .length_field_length(4)
        .length_adjustment(-4)
        .max_frame_length(MAX_FRAME_SIZE as usize)
        .new_codec()
}

/// Encodes a frame with its size.
pub(super) fn frame(frame_type: u8, channel: u16, performative: &impl Serialize, payload: &[u8]) -> Vec<u8> {
    let performative = encode(performative);
    let size = HEADER_SIZE + performative.len() + payload.len();
    let mut bytes = Vec::with_capacity(size);
    bytes.extend(u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend([DATA_OFFSET, frame_type]);
    bytes.extend(channel.to_be_bytes());
    bytes.extend(performative);
    bytes.extend_from_slice(payload);
    bytes
}

/// The empty frame that keeps a connection alive.
pub(super) fn heartbeat() -> Vec<u8> {
    vec![0, 0, 0, 8, DATA_OFFSET, AMQP, 0, 0]
}

/// A frame that is shorter than its own header: nothing but its size.
pub(super) const BROKEN: [u8; 4] = [0, 0, 0, 4];

/// Decodes a frame without its size: channel and content.
pub(super) fn decode(mut bytes: BytesMut) -> Result<(u16, Incoming), String> {
    let header: [u8; 4] = bytes.get(..4).and_then(|header| header.try_into().ok()).ok_or("a frame without a header")?;
    let channel = u16::from_be_bytes([header[2], header[3]]);
    if let [0, 0x53, DISPOSITION, ..] = bytes[4..] {
        let disposition = receiver_disposition(&bytes[4..]).ok_or("a disposition that makes no sense")?;
        return Ok((channel, Incoming::Disposition(disposition)));
    }
    let mut decoder = FrameDecoder {};
    match decoder.decode(&mut bytes) {
        Ok(Some(frame)) => Ok((channel, Incoming::Frame(frame.into_body()))),
        Ok(None) => Err("an incomplete frame".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// An error of AMQP or of Service Bus.
pub(super) fn error(condition: &str, description: impl Into<String>) -> Error {
    Error::new(ErrorCondition::Custom(Symbol::from(condition)), Some(description.into()), None)
}

/// A described value, for performatives and states that are written by hand.
pub(super) fn described(code: u8, value: Value) -> Value {
    let descriptor = Descriptor::Code(u64::from(code));
    Value::Described(Box::new(serde_amqp::described::Described { descriptor, value }))
}

const HEADER_SIZE: usize = 8;
/// The size of a frame's header in words of four bytes.
const DATA_OFFSET: u8 = 2;

fn receiver_disposition(bytes: &[u8]) -> Option<ReceiverDisposition> {
    let Value::Described(disposition) = serde_amqp::from_slice(bytes).ok()? else { return None };
    let Value::List(fields) = disposition.value else { return None };
    let Some(Value::Uint(first)) = fields.get(1) else { return None };
    let last = match fields.get(2) {
        Some(Value::Uint(last)) => *last,
        _ => *first,
    };
    let settled = matches!(fields.get(3), Some(Value::Bool(true)));
    let (outcome, echo) = match fields.get(4) {
        Some(Value::Described(state)) => outcome(&state.descriptor, &state.value)?,
        // Settling without a state is completing (rhea does so).
        _ => (settled.then_some(Outcome::Complete), Value::Null),
    };
    Some(ReceiverDisposition { first: *first, last, settled, outcome, echo })
}

fn outcome(descriptor: &Descriptor, value: &Value) -> Option<(Option<Outcome>, Value)> {
    let Descriptor::Code(code) = descriptor else { return None };
    let Value::List(fields) = value else { return None };
    let code = u8::try_from(*code).ok()?;
    let outcome = match code {
        ACCEPTED => Some(Outcome::Complete),
        MODIFIED if matches!(fields.get(1), Some(Value::Bool(true))) => Some(Outcome::Defer),
        RELEASED | MODIFIED => Some(Outcome::Abandon),
        REJECTED => Some(dead_letter(fields.first())),
        _ => None,
    };
    Some((outcome, described(code, Value::List(Vec::new()))))
}

/// Reads why a message is rejected: from the fields that the SDKs write, else from the error's description.
fn dead_letter(error: Option<&Value>) -> Outcome {
    let Some(Value::Described(error)) = error else { return Outcome::DeadLetter { reason: None, description: None } };
    let Value::List(fields) = &error.value else { return Outcome::DeadLetter { reason: None, description: None } };
    let information = |name| match fields.get(2) {
        Some(Value::Map(information)) => lookup(information, name).and_then(text).map(str::to_owned),
        _ => None,
    };
    let description = || fields.get(1).and_then(text).map(str::to_owned);
    Outcome::DeadLetter {
        reason: information("DeadLetterReason"),
        description: information("DeadLetterErrorDescription").or_else(description),
    }
}
