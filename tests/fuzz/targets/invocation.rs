//! The host's request: whatever it says, a pass runs, and its lines are lines.

#![no_main]

use aci_scaler::handler::fuzzing::log_invocation;
use aci_scaler_fuzz::{assert_lines, byte, format, logged, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let format = format(byte(&mut input));
    let (id, parent) = (text(&mut input), text(&mut input));
    let (out, err) = logged(format, || log_invocation(&id, &parent, input));
    let lines = out.matches('\n').count() + err.matches('\n').count();
    // The pass's own line, and at most one about what is out of the ordinary.
    assert!((1..=2).contains(&lines), "{out:?} {err:?}");
    assert_lines(&out, out.matches('\n').count(), format);
    assert_lines(&err, err.matches('\n').count(), format);
});
