//! Whatever is logged is one line, of the level that it was logged with, and a machine reads what was meant.

#![no_main]

use aci_scaler::telemetry::LogFormat;
use aci_scaler_fuzz::{assert_lines, byte, format, logged, text};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tracing::{error, info, warn};

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let (format, level) = (format(byte(&mut input)), byte(&mut input) % 3);
    let (message, field) = (text(&mut input), text(&mut input));
    let (out, err) = logged(format, || match level {
        0 => info!(id = field, "{message}"),
        1 => warn!(id = field, "{message}"),
        _ => error!(id = field, "{message}"),
    });
    let (used, unused) = if level == 0 { (out, err) } else { (err, out) };
    assert_eq!(unused, "");
    assert_lines(&used, 1, format);
    match level {
        1 => assert!(used.to_ascii_lowercase().contains("warn"), "{used:?}"),
        2 => assert!(!used.to_ascii_lowercase().contains("warn"), "{used:?}"),
        _ => {}
    }
    if format == LogFormat::Json {
        let line: Value = serde_json::from_str(&used).unwrap();
        assert_eq!(line["fields"]["message"].as_str(), Some(message.as_str()));
        assert_eq!(line["fields"]["id"].as_str(), Some(field.as_str()));
    }
});
