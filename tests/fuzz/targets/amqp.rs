//! Replies to peeks: bytes of any kind, and pages of well-formed replies whose messages are of any kind.
//!
//! Nothing panics; a page is in order and shows each message once; no message is lost; whatever is kept is not larger
//! than what came.

#![no_main]

use std::collections::BTreeSet;

use aci_scaler::azure::service_bus::fuzzing::page;
use aci_scaler_fuzz::{byte, reply, take};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    if byte(&mut input) % 2 == 0 { any_bytes(input) } else { messages_of_any_kind(input) }
});

fn any_bytes(reply: &[u8]) {
    let Ok(messages) = page(reply) else { return };
    assert!(messages.is_sorted_by(|a, b| a.sequence_number < b.sequence_number));
    assert!(messages.len() <= reply.len());
    for message in messages {
        let id = message.message_id.map_or(0, |id| id.as_str().len());
        // A binary id is written in hex, a number in decimal.
        assert!(id <= 2 * reply.len() + 20, "{id} bytes of {}", reply.len());
    }
}

fn messages_of_any_kind(mut input: &[u8]) {
    let (mut encoded, mut numbers, mut has_other_numbers) = (Vec::new(), BTreeSet::new(), false);
    while !input.is_empty() && encoded.len() < 64 {
        let number = take(&mut input, 8);
        let number = number.iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
        numbers.insert(number);
        let mut message = reply::numbered(number);
        let length = byte(&mut input).into();
        let more = take(&mut input, length);
        // Only another section of annotations can say another number, or none.
        has_other_numbers |= more.contains(&0x72);
        message.extend(more);
        encoded.push(message);
    }
    let found = page(&reply::of(encoded)).expect("the reply is well-formed");
    let found: Vec<_> = found.into_iter().map(|message| message.sequence_number).collect();
    assert!(found.is_sorted_by(|a, b| a < b), "{found:?}");
    if !has_other_numbers {
        assert!(found.iter().eq(&numbers), "of {numbers:?} there are {found:?}");
    }
}
