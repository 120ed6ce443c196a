//! Well-formed replies to a peek.

use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::{Binary, OrderedMap, Symbol};
use serde_amqp::{Value, to_vec};

/// The body of a reply with these encoded messages.
pub fn of(messages: Vec<Vec<u8>>) -> Vec<u8> {
    let entry = |message| map(Value::String("message".into()), Value::Binary(Binary::from(message)));
    let messages = Value::List(messages.into_iter().map(entry).collect());
    to_vec(&map(Value::String("messages".into()), messages)).unwrap()
}

/// The body of a reply with so many messages, numbered from 0.
pub fn of_numbered(count: usize) -> Vec<u8> {
    of((0..count).map(|number| numbered(number.try_into().unwrap())).collect())
}

/// An encoded message of this number, without a body.
pub fn numbered(number: i64) -> Vec<u8> {
    let annotations = map(Value::Symbol(Symbol::from("x-opt-sequence-number")), Value::Long(number));
    let section = Described { descriptor: Descriptor::Code(0x72), value: annotations };
    to_vec(&Value::Described(Box::new(section))).unwrap()
}

fn map(key: Value, value: Value) -> Value {
    Value::Map(OrderedMap::from_iter([(key, value)]))
}
