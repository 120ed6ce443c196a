use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::{Array, Binary, Dec32, Dec64, Dec128, OrderedMap, Symbol, Timestamp, Uuid as AmqpUuid};
use serde_amqp::{Value as Amqp, to_vec};
use time::macros::datetime;

use super::*;

fn section(descriptor: u64, value: Amqp) -> Vec<u8> {
    let described = Described { descriptor: Descriptor::Code(descriptor), value };
    to_vec(&Amqp::Described(Box::new(described))).unwrap()
}

fn map(entries: impl IntoIterator<Item = (Amqp, Amqp)>) -> Amqp {
    Amqp::Map(entries.into_iter().collect::<OrderedMap<_, _>>())
}

fn symbol(text: &str) -> Amqp {
    Amqp::Symbol(Symbol::from(text))
}

fn string(text: &str) -> Amqp {
    Amqp::String(text.to_owned())
}

fn timestamp(millis: i64) -> Amqp {
    Amqp::Timestamp(Timestamp::from_milliseconds(millis))
}

/// A message as the broker shows it, from the sections that a test is about.
#[derive(Clone)]
struct Sample {
    ttl_millis: Amqp,
    annotations: Vec<(Amqp, Amqp)>,
    properties: Vec<Amqp>,
    application_properties: Vec<(Amqp, Amqp)>,
}

impl Sample {
    fn new() -> Self {
        Self {
            ttl_millis: Amqp::Null,
            annotations: vec![(symbol("x-opt-sequence-number"), Amqp::Long(7))],
            properties: vec![string("m1")],
            application_properties: vec![(string(FILE_SIZE_MB), Amqp::Int(50))],
        }
    }

    fn encode(self) -> Vec<u8> {
        [
            section(0x70, Amqp::List(vec![Amqp::Bool(true), Amqp::Ubyte(4), self.ttl_millis])),
            section(0x72, map(self.annotations)),
            section(0x73, Amqp::List(self.properties)),
            section(0x74, map(self.application_properties)),
            section(0x75, Amqp::Binary(Binary::from(b"body".to_vec()))),
        ]
        .concat()
    }

    fn decode(self) -> PeekedMessage {
        message(&self.encode()).unwrap()
    }

    fn with_size(size: Amqp) -> Result<String, InvalidMessage> {
        let sample = Self { application_properties: vec![(string(FILE_SIZE_MB), size)], ..Self::new() };
        sample.decode().file_size_mb.map(|size| size.to_string())
    }

    fn with_id(id: Amqp) -> Result<String, InvalidMessage> {
        Self { properties: vec![id], ..Self::new() }.decode().message_id.map(|id| id.to_string())
    }

    fn annotated(mut self, key: &str, value: Amqp) -> Self {
        self.annotations.push((symbol(key), value));
        self
    }
}

#[test]
fn an_ordinary_message_is_read() {
    let expected = PeekedMessage {
        sequence_number: 7,
        message_id: MessageId::new("m1"),
        file_size_mb: FileSizeMb::from_decimal(50.into()),
        state: MessageState::Active,
        enqueued_at: None,
        expires_at: None,
    };
    assert_eq!(Sample::new().decode(), expected);
}

#[test]
fn every_type_of_number_is_a_size() {
    let numbers = [
        Amqp::Ubyte(50),
        Amqp::Ushort(50),
        Amqp::Uint(50),
        Amqp::Ulong(50),
        Amqp::Byte(50),
        Amqp::Short(50),
        Amqp::Int(50),
        Amqp::Long(50),
        Amqp::Float(50.0.into()),
        Amqp::Double(50.0.into()),
        Amqp::Decimal32(Dec32::from(((101_u32 << 23) + 50).to_be_bytes())),
        Amqp::Decimal64(Dec64::from(((398_u64 << 53) + 50).to_be_bytes())),
        Amqp::Decimal128(Dec128::from(((6176_u128 << 113) + 50).to_be_bytes())),
        string("50"),
        symbol("50"),
    ];
    for number in numbers {
        assert_eq!(Sample::with_size(number.clone()).as_deref(), Ok("50"), "{number:?}");
    }
    assert_eq!(Sample::with_size(Amqp::Ulong(u64::MAX)), Ok(u64::MAX.to_string()));
    assert_eq!(Sample::with_size(Amqp::Double(0.1.into())).as_deref(), Ok("0.1"));
    assert_eq!(Sample::with_size(Amqp::Float(0.1.into())).as_deref(), Ok("0.1"));
    let exact = Amqp::Decimal128(Dec128::from(((6172_u128 << 113) + 123_456).to_be_bytes()));
    assert_eq!(Sample::with_size(exact).as_deref(), Ok("12.3456"));
    let largest = Amqp::Decimal128(Dec128::from((12_287_u128 << 113 | 1).to_be_bytes()));
    assert_eq!(Sample::with_size(largest), Ok(Decimal::MAX.to_string()));
}

#[test]
fn what_is_no_size_says_what_it_is_instead() {
    let described = Described { descriptor: Descriptor::Code(9), value: Amqp::Long(5) };
    let cases = [
        (Amqp::Bool(true), "a boolean"),
        (Amqp::Null, "null"),
        (timestamp(0), "a timestamp"),
        (Amqp::Uuid(AmqpUuid::from([7; 16])), "a uuid"),
        (Amqp::Binary(Binary::from(b"50".to_vec())), "binary"),
        (Amqp::Char('5'), "a character"),
        (Amqp::List(vec![Amqp::Int(5)]), "a list"),
        (Amqp::Array(Array::from(vec![Amqp::Int(5)])), "an array"),
        (map([]), "a map"),
        (Amqp::Described(Box::new(described)), "a value of a described type"),
    ];
    for (value, found) in cases {
        let expected = InvalidMessage::FileSizeNotANumber { found: found.to_owned() };
        assert_eq!(Sample::with_size(value), Err(expected), "{found}");
    }
    assert!(matches!(Sample::with_size(Amqp::Int(-1)), Err(InvalidMessage::FileSizeNegative { .. })));
    assert!(matches!(Sample::with_size(Amqp::Double(f64::NAN.into())), Err(InvalidMessage::FileSizeNotFinite { .. })));
    let nan = Amqp::Decimal64(Dec64::from((0x7c_u64 << 56).to_be_bytes()));
    assert!(matches!(Sample::with_size(nan), Err(InvalidMessage::FileSizeNotFinite { .. })));
    let none = Sample { application_properties: vec![], ..Sample::new() };
    assert_eq!(none.decode().file_size_mb, Err(InvalidMessage::NoFileSize));
}

#[test]
fn every_type_of_id_has_its_canonical_text() {
    assert_eq!(Sample::with_id(string("Ü-1")).as_deref(), Ok("Ü-1"));
    assert_eq!(Sample::with_id(Amqp::Ulong(77)).as_deref(), Ok("77"));
    let uuid = Uuid::from_u128(0x00aa_bbcc_ddee_4f00_8000_1122_3344_5566);
    let expected = "00aabbcc-ddee-4f00-8000-112233445566";
    assert_eq!(Sample::with_id(Amqp::Uuid(AmqpUuid::from(uuid.into_bytes()))).as_deref(), Ok(expected));
    assert_eq!(Sample::with_id(Amqp::Binary(Binary::from(vec![0, 0xab, 0xff]))).as_deref(), Ok("00abff"));
}

#[test]
fn an_id_of_a_type_that_amqp_does_not_allow_is_the_messages_own_fault() {
    assert!(matches!(Sample::with_id(Amqp::Int(1)), Err(InvalidMessage::Undecodable { .. })));
    assert_eq!(Sample::with_id(Amqp::Null), Err(InvalidMessage::NoMessageId));
    assert_eq!(Sample::with_id(string("")), Err(InvalidMessage::NoMessageId));
    let none = Sample { properties: vec![], ..Sample::new() };
    assert_eq!(none.decode().message_id, Err(InvalidMessage::NoMessageId));
}

#[test]
fn an_oddity_elsewhere_in_a_message_is_passed_over() {
    let described =
        Described { descriptor: Descriptor::Name(Symbol::from("com.microsoft:timespan")), value: Amqp::Long(5) };
    let mut odd = Sample::new();
    odd.properties.extend([Amqp::Null, Amqp::Null, Amqp::Null, Amqp::Null, Amqp::Null, string("text/plain")]);
    odd.application_properties.splice(
        0..0,
        [
            (symbol("symbol-keyed"), Amqp::List(vec![Amqp::Null])),
            (string("array"), Amqp::Array(Array::from(vec![Amqp::Int(1)]))),
            (string("map"), map([(Amqp::Int(1), Amqp::Null)])),
            (Amqp::Int(3), Amqp::Described(Box::new(described))),
        ],
    );
    assert_eq!(odd.decode(), Sample::new().decode());
}

#[test]
fn a_section_of_garbage_hides_nothing_before_it() {
    let whole = Sample::new().encode();
    let cut = whole.windows(2).position(|bytes| bytes == b"m1").unwrap() - 6;
    let mut garbage = whole[..cut].to_vec();
    garbage.extend([0x0f; 40]);
    let decoded = message(&garbage).unwrap();
    assert_eq!(decoded.sequence_number, 7);
    assert!(matches!(decoded.message_id, Err(InvalidMessage::Undecodable { .. })), "{:?}", decoded.message_id);
    assert!(matches!(decoded.file_size_mb, Err(InvalidMessage::Undecodable { .. })));
}

#[test]
fn the_brokers_state_is_read() {
    let with_state = |state| Sample::new().annotated("x-opt-message-state", state).decode().state;
    assert_eq!(with_state(Amqp::Int(0)), MessageState::Active);
    assert_eq!(with_state(Amqp::Int(1)), MessageState::Deferred);
    assert_eq!(with_state(Amqp::Long(2)), MessageState::Scheduled);
    assert_eq!(with_state(Amqp::Int(9)), MessageState::Active);
}

#[test]
fn a_message_says_when_it_came() {
    assert_eq!(Sample::new().decode().enqueued_at, None);
    let sample = Sample::new().annotated("x-opt-enqueued-time", timestamp(1_700_000_000_000));
    assert_eq!(sample.decode().enqueued_at, Some(datetime!(2023-11-14 22:13:20 UTC)));
    assert_eq!(Sample::new().annotated("x-opt-enqueued-time", timestamp(i64::MAX)).decode().enqueued_at, None);
}

#[test]
fn a_message_expires_when_its_time_to_live_is_over_since_it_came() {
    let sample = Sample { ttl_millis: Amqp::Uint(60_000), ..Sample::new() };
    assert_eq!(sample.clone().decode().expires_at, None);
    let sample = sample.annotated("x-opt-enqueued-time", timestamp(1_700_000_000_000));
    let a_minute_later = Some(datetime!(2023-11-14 22:14:20 UTC));
    assert_eq!(sample.clone().decode().expires_at, a_minute_later);
    let unbounded = Sample { ttl_millis: Amqp::Uint(u32::MAX), ..sample.clone() };
    assert_eq!(unbounded.decode().expires_at, None);

    // It was forwarded when it had expired elsewhere.
    let mut forwarded = sample.clone();
    forwarded.properties.resize(8, Amqp::Null);
    forwarded.properties.push(timestamp(1_600_000_000_000));
    assert_eq!(forwarded.clone().decode().expires_at, a_minute_later);
    let unbounded = Sample { ttl_millis: Amqp::Uint(u32::MAX), ..forwarded };
    assert_eq!(unbounded.clone().decode().expires_at, None);
    let created = |at| {
        let mut sample = unbounded.clone();
        sample.properties.push(timestamp(at));
        sample.decode().expires_at
    };
    assert_eq!(created(1_600_000_000_000 - 60_000), a_minute_later);
    assert_eq!(created(i64::MIN), Some(datetime!(2020-09-13 12:26:40 UTC)), "the difference is no time");
}

#[test]
fn a_message_without_a_time_to_live_expires_when_its_sender_said() {
    let mut sample = Sample::new();
    sample.properties.resize(8, Amqp::Null);
    sample.properties.push(timestamp(1_800_000_000_000));
    assert_eq!(sample.clone().decode().expires_at, Some(datetime!(2027-01-15 8:00 UTC)));
    for beyond in [i64::MAX, i64::MIN] {
        sample.properties[8] = timestamp(beyond);
        assert_eq!(sample.clone().decode().expires_at, None);
    }
}

#[test]
fn a_message_without_a_sequence_number_is_nothing() {
    assert_eq!(message(&Sample { annotations: vec![], ..Sample::new() }.encode()), None);
    assert_eq!(message(&[]), None);
}

#[test]
fn a_reply_is_a_list_of_messages() {
    let entry = |bytes: &[u8]| map([(string("message"), Amqp::Binary(Binary::from(bytes.to_vec())))]);
    let reply = to_vec(&map([(string("messages"), Amqp::List(vec![entry(b"a"), entry(b"bc")]))])).unwrap();
    assert_eq!(messages_of_reply(&reply), Ok(vec![&b"a"[..], b"bc"]));
    assert_eq!(messages_of_reply(&to_vec(&Amqp::Null).unwrap()), Ok(vec![]));
    assert_eq!(messages_of_reply(&[]), Ok(vec![]));
    assert!(messages_of_reply(&to_vec(&Amqp::Int(1)).unwrap()).is_err());
    assert!(messages_of_reply(&to_vec(&map([])).unwrap()).is_err());
    assert!(messages_of_reply(&[0xff]).is_err());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = message(&bytes);
        let _ = messages_of_reply(&bytes);
    }

    #[test]
    fn no_damage_to_a_message_panics(at in 0_usize..100, byte: u8, cut in 0_usize..200) {
        let mut bytes = Sample::new().annotated("x-opt-message-state", Amqp::Int(1)).encode();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(cut);
        let _ = message(&bytes);
    }
}
