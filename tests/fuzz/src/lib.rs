//! What the targets share: a log that can be read, what has to be true of it, and replies to a peek.

pub mod reply;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use aci_scaler::telemetry::{LogFormat, subscriber};
use serde_json::Value;
use tracing::subscriber::with_default;
use tracing_subscriber::fmt::MakeWriter;

/// A stream of the log, kept.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("the log is UTF-8")
    }
}

/// What is logged while this runs: the standard output's text, and the standard error's.
pub fn logged(format: LogFormat, log: impl FnOnce()) -> (String, String) {
    let (out, err) = (Kept::default(), Kept::default());
    let subscriber = subscriber("trace", format, out.clone(), err.clone()).expect("the directive is one");
    with_default(subscriber, log);
    (out.text(), err.text())
}

/// Whatever was put in, the log has so many lines, and nothing in them is obeyed by a terminal.
pub fn assert_lines(text: &str, lines: usize, format: LogFormat) {
    assert_eq!(text.matches('\n').count(), lines, "{text:?}");
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    for line in text.split_terminator('\n') {
        let obeyed = |c: char| {
            c.is_control()
                || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!line.contains(obeyed), "{line:?}");
        if format == LogFormat::Json {
            serde_json::from_str::<Value>(line).expect("a line is JSON");
        }
    }
}

/// The variables that the settings need, and no others.
pub fn environment() -> BTreeMap<String, String> {
    let variables = [
        ("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000001"),
        ("AZURE_RESOURCE_GROUP", "local"),
        ("ACI_IMAGE", "local/worker:latest"),
        ("ACI_NAME_PREFIX", "worker"),
        ("ACI_LOCATION", "westeurope"),
        ("SB_TOPIC_NAME", "files"),
        ("SB_NAMESPACE", "local"),
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:7072/msi/token"),
        ("IDENTITY_HEADER", "local-azure"),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The formats, of which the input chooses one.
pub fn format(choice: u8) -> LogFormat {
    if choice % 2 == 0 { LogFormat::Text } else { LogFormat::Json }
}

/// Takes bytes off the front of an input.
pub fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}

/// Takes one byte off the front of an input; 0 when there is none.
pub fn byte(input: &mut &[u8]) -> u8 {
    take(input, 1).first().copied().unwrap_or_default()
}

/// Takes a text of up to 255 bytes off the front of an input.
pub fn text(input: &mut &[u8]) -> String {
    let length = byte(input).into();
    String::from_utf8_lossy(take(input, length)).into_owned()
}
