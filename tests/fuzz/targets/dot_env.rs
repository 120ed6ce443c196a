//! The `.env` file: it is read or refused by the number of a line, and never quoted.

#![no_main]

use aci_scaler::settings::fuzzing::check_dot_env;
use libfuzzer_sys::fuzz_target;

const CANARY: &str = "c4n4ry";

fuzz_target!(|input: &[u8]| {
    let text: Vec<u8> = input
        .iter()
        .flat_map(|byte| if *byte == b'~' { CANARY.as_bytes() } else { std::slice::from_ref(byte) })
        .copied()
        .collect();
    if let Err(error) = check_dot_env(&text) {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(CANARY), "{shown}");
        let lines = text.split(|byte| *byte == b'\n').count();
        let number = shown.split("line ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        assert!((1..=lines).contains(&number.expect("it names a line")), "{shown}");
    }
});
