//! Answers of Resource Manager: groups, lists, errors, logs.
//!
//! Nothing panics; names are valid; what is kept of texts is bounded; a page of a list gives each item that it has.

#![no_main]

use aci_scaler::azure::fuzzing as arm;
use aci_scaler::container_group::{GroupName, NamePrefix};
use aci_scaler_fuzz::byte;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let prefix = NamePrefix::parse("worker").unwrap();
    match byte(&mut input) % 5 {
        0 => {
            if let Some(group) = arm::group(input, &prefix) {
                is_valid(&group);
            }
        }
        1 => {
            let Ok(item) = serde_json::from_slice(input) else { return };
            if let Some(group) = arm::listed(item, &prefix) {
                is_valid(&group);
            }
        }
        2 => {
            let Some(items) = arm::page(input) else { return };
            let page: Value = serde_json::from_slice(input).expect("a page is JSON");
            assert_eq!(items, page["value"].as_array().map_or(0, Vec::len));
        }
        3 => {
            let status = 400 + u16::from(byte(&mut input)) % 200;
            let (code, message) = arm::refusal(status, input);
            assert!(message.chars().count() <= 600, "{code}");
            assert!(code.chars().count() <= 600, "{code}");
        }
        _ => {
            if let Some(log) = arm::logs(input) {
                // An escape of six bytes may stand for one character of three.
                assert!(log.len() <= input.len());
            }
        }
    }
});

fn is_valid(group: &aci_scaler::container_group::ContainerGroup) {
    assert!(GroupName::parse(group.name.as_str()).is_ok());
    for event in group.containers.iter().flat_map(|container| &container.events) {
        assert!(event.message.chars().count() <= 500);
    }
    assert!(group.containers.iter().all(|container| container.events.len() <= 50));
}
