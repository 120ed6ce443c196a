//! Service Bus as far as a peek needs it, with the changes of an input to what it sends.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use aci_scaler_fuzz::{byte, reply, take};
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::{Array, Binary, OrderedMap, Symbol};
use serde_amqp::{Value, from_slice, to_vec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// How many messages the subscription has.
pub const MESSAGES: usize = 3;

const SASL_HEADER: &[u8; 8] = b"AMQP\x03\x01\x00\x00";
const AMQP_HEADER: &[u8; 8] = b"AMQP\x00\x01\x00\x00";

const AMQP: u8 = 0;
const SASL: u8 = 1;

/// Descriptor codes of performatives, of SASL's frames, of an outcome and of sections.
const OPEN: u64 = 0x10;
const BEGIN: u64 = 0x11;
const ATTACH: u64 = 0x12;
const FLOW: u64 = 0x13;
const TRANSFER: u64 = 0x14;
const DISPOSITION: u64 = 0x15;
const DETACH: u64 = 0x16;
const END: u64 = 0x17;
const CLOSE: u64 = 0x18;
const ACCEPTED: u64 = 0x24;
const MECHANISMS: u64 = 0x40;
const SASL_INIT: u64 = 0x41;
const SASL_OUTCOME: u64 = 0x44;
const PROPERTIES: u64 = 0x73;
const APPLICATION_PROPERTIES: u64 = 0x74;
const VALUE: u64 = 0x77;

/// Answers a client until it or the input ends the conversation. `is_orderly` becomes false with the first change.
pub async fn serve(mut stream: DuplexStream, input: Vec<u8>, is_orderly: Arc<AtomicBool>) {
    let (mut service, mut input, mut sent) = (Service::default(), input.as_slice(), Vec::new());
    while let Some(asked) = read(&mut stream).await {
        for answer in service.answers(&asked) {
            let change = Change::next(&mut input);
            is_orderly.fetch_and(change == Change::None, Relaxed);
            let before = sent.len();
            let Some(bytes) = change.apply(answer, &mut input) else { return };
            sent.extend(bytes);
            if claims_too_much(&sent[before.saturating_sub(4)..]) || stream.write_all(&sent[before..]).await.is_err() {
                return;
            }
        }
    }
}

/// Whether these bytes may contain the length of a value of more than 1 MiB. Where they do, serde_amqp 0.18 allocates so much
/// before it looks whether it is there, up to 4 GiB. A service that can prove its name may do that to us.
fn claims_too_much(bytes: &[u8]) -> bool {
    bytes.windows(5).any(|window| {
        let is_long = matches!(window[0], 0xb0 | 0xb1 | 0xb3 | 0xd0 | 0xd1 | 0xf0);
        is_long && u32::from_be_bytes([window[1], window[2], window[3], window[4]]) > 1 << 20
    })
}

/// What happens to something that is sent.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    None,
    /// Some bytes have other values.
    Bytes,
    /// Some bytes are others, of another number.
    Spliced,
    /// A frame with any content goes first.
    FrameBefore,
    /// Anything goes first.
    BytesBefore,
    Twice,
    LeftOut,
    /// It breaks off here.
    Ended,
}

impl Change {
    fn next(input: &mut &[u8]) -> Self {
        match byte(input) % 16 {
            1 | 2 => Self::Bytes,
            3 | 4 => Self::Spliced,
            5 => Self::FrameBefore,
            6 => Self::BytesBefore,
            7 => Self::Twice,
            8 => Self::LeftOut,
            9 => Self::Ended,
            _ => Self::None,
        }
    }

    /// What is sent instead; nothing once the conversation ends.
    fn apply(self, mut sent: Vec<u8>, input: &mut &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::None => Some(sent),
            Self::Bytes => {
                for _ in 0..=byte(input) % 4 {
                    let place = place(&sent, input);
                    if let Some(changed) = sent.get_mut(place) {
                        *changed = byte(input);
                    }
                }
                Some(sent)
            }
            Self::Spliced => {
                let (from, removed, added) = (place(&sent, input), byte(input) % 16, byte(input) % 32);
                let to = (from + usize::from(removed)).min(sent.len());
                sent.splice(from..to, take(input, added.into()).iter().copied());
                // So that the content is read, and not only the size refused.
                if byte(input) % 4 != 0 && sent.len() >= 8 && !sent.starts_with(b"AMQP") {
                    let size = u32::try_from(sent.len()).unwrap();
                    sent[..4].copy_from_slice(&size.to_be_bytes());
                }
                Some(sent)
            }
            Self::FrameBefore => {
                let (kind, channel, length) = (byte(input) % 2, byte(input) % 4, byte(input));
                Some([frame(kind, channel.into(), take(input, length.into())), sent].concat())
            }
            Self::BytesBefore => {
                let length = byte(input);
                Some([take(input, length.into()), &sent].concat())
            }
            Self::Twice => Some([sent.as_slice(), &sent].concat()),
            Self::LeftOut => Some(Vec::new()),
            Self::Ended => None,
        }
    }
}

fn place(sent: &[u8], input: &mut &[u8]) -> usize {
    (usize::from(byte(input)) << 8 | usize::from(byte(input))) % sent.len().max(1)
}

/// A header, or a frame without its size.
async fn read(stream: &mut DuplexStream) -> Option<Vec<u8>> {
    let mut first = [0; 4];
    stream.read_exact(&mut first).await.ok()?;
    let rest = if first == *b"AMQP" { 4 } else { u32::from_be_bytes(first).checked_sub(4)? };
    let mut read = vec![0; rest.try_into().ok()?];
    stream.read_exact(&mut read).await.ok()?;
    Some(read)
}

/// The state of a connection.
#[derive(Default)]
struct Service {
    /// The links by channel and handle.
    links: HashMap<(u16, u32), Link>,
    /// How many deliveries were sent on each channel.
    deliveries: HashMap<u16, u32>,
}

struct Link {
    name: String,
    node: String,
    /// How many requests came.
    requests: u32,
}

impl Service {
    fn answers(&mut self, asked: &[u8]) -> Vec<Vec<u8>> {
        if *asked == SASL_HEADER[4..] {
            let anonymous = Value::Array(Array::from(vec![Value::Symbol(Symbol::from("ANONYMOUS"))]));
            let mechanisms = described(MECHANISMS, Value::List(vec![anonymous]));
            return vec![SASL_HEADER.to_vec(), frame(SASL, 0, &to_vec(&mechanisms).unwrap())];
        }
        if *asked == AMQP_HEADER[4..] {
            return vec![AMQP_HEADER.to_vec()];
        }
        let Some((header, body)) = asked.split_at_checked(4) else { return Vec::new() };
        let channel = u16::from_be_bytes([header[2], header[3]]);
        let Ok(Value::Described(performative)) = from_slice(body) else { return Vec::new() };
        let (Descriptor::Code(code), Value::List(fields)) = (performative.descriptor, performative.value) else {
            return Vec::new();
        };
        self.answers_to(channel, code, fields)
            .into_iter()
            .map(|(code, fields, payload)| {
                let kind = if code == SASL_OUTCOME { SASL } else { AMQP };
                frame(kind, channel, &[to_vec(&described(code, Value::List(fields))).unwrap(), payload].concat())
            })
            .collect()
    }

    fn answers_to(&mut self, channel: u16, code: u64, fields: Vec<Value>) -> Vec<(u64, Vec<Value>, Vec<u8>)> {
        let answer = |code, fields| (code, fields, Vec::new());
        match (code, fields.as_slice()) {
            (SASL_INIT, _) => vec![answer(SASL_OUTCOME, vec![Value::Ubyte(0)])],
            (OPEN, _) => {
                let frame_size = Value::Uint(65_536);
                vec![answer(
                    OPEN,
                    vec!["fuzz".into(), Value::Null, frame_size, Value::Ushort(100), Value::Uint(60_000)],
                )]
            }
            (BEGIN, _) => {
                let window = Value::Uint(5_000);
                let begin = [Value::Ushort(channel), Value::Uint(1), window.clone(), window, Value::Uint(255)];
                vec![answer(BEGIN, begin.to_vec())]
            }
            (ATTACH, [Value::String(name), Value::Uint(handle), Value::Bool(receives), _, _, source, target, ..]) => {
                let node = if *receives { source } else { target };
                let link = Link { name: name.clone(), node: format!("{node:?}"), requests: 0 };
                self.links.insert((channel, *handle), link);
                let unsettled = [Value::Null, Value::Null];
                let mut attach = vec![name.as_str().into(), Value::Uint(*handle), Value::Bool(!receives)];
                attach.extend([Value::Ubyte(2), Value::Ubyte(0), source.clone(), target.clone()]);
                attach.extend(unsettled);
                attach.push(if *receives { Value::Uint(0) } else { Value::Null });
                attach.push(Value::Ulong(1 << 20));
                let mut answers = vec![answer(ATTACH, attach)];
                if !receives {
                    answers.push(answer(FLOW, credit(*handle)));
                }
                answers
            }
            (TRANSFER, [Value::Uint(handle), Value::Uint(delivery), ..]) => self.reply(channel, *handle, *delivery),
            (DETACH, [handle, ..]) => vec![answer(DETACH, vec![handle.clone(), Value::Bool(true)])],
            (END | CLOSE, _) => vec![answer(code, Vec::new())],
            _ => Vec::new(),
        }
    }

    fn reply(&mut self, channel: u16, handle: u32, delivery: u32) -> Vec<(u64, Vec<Value>, Vec<u8>)> {
        let Some(requests) = self.links.get_mut(&(channel, handle)) else { return Vec::new() };
        requests.requests += 1;
        let (id, is_management) = (requests.requests.to_string(), requests.node.contains("$management"));
        let name = requests.name.trim_end_matches("-requests").to_owned();
        let replies = self.links.iter().find(|((of, _), link)| *of == channel && link.name == name);
        let Some((&(_, replies), _)) = replies else { return Vec::new() };
        let next = self.deliveries.entry(channel).or_default();
        let number = *next;
        *next += 1;

        let accepted = described(ACCEPTED, Value::List(Vec::new()));
        let delivery = Value::Uint(delivery);
        let disposition = vec![Value::Bool(true), delivery.clone(), delivery, Value::Bool(true), accepted];
        let tag = Value::Binary(Binary::from(number.to_be_bytes().to_vec()));
        let transfer =
            vec![Value::Uint(replies), Value::Uint(number), tag, Value::Uint(0), Value::Bool(true), Value::Bool(false)];
        vec![(DISPOSITION, disposition, Vec::new()), (TRANSFER, transfer, message(&id, is_management))]
    }
}

/// The reply to a request.
fn message(id: &str, is_management: bool) -> Vec<u8> {
    let mut properties = vec![Value::Null; 5];
    properties.push(id.into());
    let status = if is_management { "statusCode" } else { "status-code" };
    let status = OrderedMap::from_iter([(status.into(), Value::Int(200))]);
    let sections = [(PROPERTIES, Value::List(properties)), (APPLICATION_PROPERTIES, Value::Map(status))];
    let sections = sections.map(|(code, value)| to_vec(&described(code, value)).unwrap()).concat();
    // A described value is its descriptor followed by the value.
    let body = if is_management { reply::of_numbered(MESSAGES) } else { to_vec(&Value::Null).unwrap() };
    let descriptor = [0x00, 0x53, u8::try_from(VALUE).unwrap()];
    [sections.as_slice(), &descriptor, &body].concat()
}

/// The fields of a flow that lets the client send.
fn credit(handle: u32) -> Vec<Value> {
    [0, 5_000, 1, 5_000, handle, 0, 1_000].map(Value::Uint).to_vec()
}

fn frame(kind: u8, channel: u16, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(8 + content.len()).unwrap();
    [&size.to_be_bytes()[..], &[2, kind], &channel.to_be_bytes(), content].concat()
}

fn described(code: u64, value: Value) -> Value {
    Value::Described(Box::new(Described { descriptor: Descriptor::Code(code), value }))
}
