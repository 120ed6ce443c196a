//! The environment, connection strings in it above all.
//!
//! Nothing panics; errors are lines of their own; a secret is in no error, in no warning and in no debug text.

#![no_main]

use aci_scaler::settings::{Settings, all_settings, unknown_settings};
use aci_scaler_fuzz::{byte, environment, text};
use libfuzzer_sys::fuzz_target;

const CANARY: &str = "c4n4ry/S3cret+Value=";

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let names: Vec<_> = all_settings().map(|setting| setting.name).collect();
    let mut environment = environment();
    let (before, after) = (text(&mut input), text(&mut input));
    // The key is a secret wherever it stands; what stands before it must not turn it into something else.
    let connection_string = format!("{before};SharedAccessKey={CANARY};{after}");
    environment.insert("SB_CONNECTION_STR".to_owned(), connection_string);
    environment.insert("INSTANCE_TOKEN".to_owned(), format!("{CANARY}{after}"));
    environment.insert("ACR_PASSWORD".to_owned(), CANARY.to_owned());
    while !input.is_empty() {
        let name = match byte(&mut input) {
            255 => text(&mut input).replace(['=', '\0'], "_"),
            choice => names[usize::from(choice) % names.len()].to_owned(),
        };
        let value = text(&mut input).replace('\0', "_");
        if !["SB_CONNECTION_STR", "ACR_PASSWORD"].contains(&name.as_str()) && !name.is_empty() {
            environment.insert(name, value);
        }
    }
    for warning in unknown_settings(&environment) {
        assert!(!warning.to_string().contains(CANARY));
    }
    match Settings::from_environment(&environment) {
        Ok(settings) => assert!(!format!("{settings:?}").contains(CANARY)),
        Err(errors) => assert!(!format!("{errors} {errors:?}").contains(CANARY), "{errors}"),
    }
});
