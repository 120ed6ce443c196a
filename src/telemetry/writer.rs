//! Writes each event's line to the stream of its level, in a form that the host reads as one record of that level.

use std::fmt::Write as _;
use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A sentence and its fields, for people.
    Text,
    /// An object, for machines.
    Json,
}

/// Where lines go.
pub(super) struct Streams<Out, Err> {
    pub(super) out: Out,
    pub(super) err: Err,
    pub(super) format: LogFormat,
}

impl<'a, Out: MakeWriter<'a>, Err: MakeWriter<'a>> MakeWriter<'a> for Streams<Out, Err> {
    type Writer = LineWriter<Out::Writer, Err::Writer>;

    /// Only for events of unknown level, which do not occur.
    fn make_writer(&'a self) -> Self::Writer {
        LineWriter { stream: Stream::Out(self.out.make_writer()), format: self.format, level: Level::INFO }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        let stream = match *event.level() {
            Level::ERROR | Level::WARN => Stream::Err(self.err.make_writer_for(event)),
            _ => Stream::Out(self.out.make_writer_for(event)),
        };
        LineWriter { stream, format: self.format, level: *event.level() }
    }
}

/// Writes one event, which arrives in one call.
pub(super) struct LineWriter<Out, Err> {
    stream: Stream<Out, Err>,
    format: LogFormat,
    level: Level,
}

enum Stream<Out, Err> {
    Out(Out),
    Err(Err),
}

impl<Out: Write, Err: Write> Write for LineWriter<Out, Err> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut line = one_line(&String::from_utf8_lossy(event), self.format);
        if self.level == Level::ERROR {
            line = without_warn(&line, self.format);
        }
        line.push('\n');
        match &mut self.stream {
            Stream::Out(stream) => stream.write_all(line.as_bytes())?,
            Stream::Err(stream) => stream.write_all(line.as_bytes())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Out(stream) => stream.flush(),
            Stream::Err(stream) => stream.flush(),
        }
    }
}

/// The event without its final newline. Characters that a terminal or a log viewer obeys instead of showing are escaped as in
/// Rust, or in JSON.
fn one_line(event: &str, format: LogFormat) -> String {
    let event = event.strip_suffix('\n').unwrap_or(event);
    event.chars().fold(String::with_capacity(event.len() + 1), |mut line, character| {
        match format {
            _ if !is_obeyed(character) => line.push(character),
            LogFormat::Text => _ = write!(line, "{}", character.escape_default()),
            // All of them have four digits.
            LogFormat::Json => _ = write!(line, "\\u{:04x}", u32::from(character)),
        }
        line
    })
}

/// Control characters, separators of lines and paragraphs, and characters that change the direction of text, which make a line
/// look different from what it is (Unicode Standard Annex 9, section 2).
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        )
}

/// The line with each `warn` broken up, because the host would take it for a warning.
///
/// In text it becomes `w_arn`. In JSON the first letter becomes an escape, which a parser decodes.
fn without_warn(line: &str, format: LogFormat) -> String {
    // ASCII lower case only, so that positions stay the same.
    let lower = line.to_ascii_lowercase();
    let mut result = String::with_capacity(line.len());
    let mut rest = 0;
    for (start, _) in lower.match_indices("warn") {
        result.push_str(&line[rest..start]);
        match format {
            LogFormat::Text => _ = write!(result, "{}_", &line[start..=start]),
            LogFormat::Json => _ = write!(result, "\\u{:04x}", line.as_bytes()[start]),
        }
        rest = start + 1;
    }
    result + &line[rest..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(event: &str) -> String {
        one_line(event, LogFormat::Text)
    }

    #[test]
    fn control_characters_are_escaped_and_all_else_is_left_alone() {
        assert_eq!(text("a\r\nb\u{1b}[0m — “c”\n"), r"a\r\nb\u{1b}[0m — “c”");
    }

    #[test]
    fn what_turns_a_text_around_or_ends_its_line_elsewhere_is_escaped_too() {
        assert_eq!(text("id \u{202E}drowssap\u{2066}"), r"id \u{202e}drowssap\u{2066}");
        assert_eq!(text("one\u{2028}two\u{2029}three\u{85}four"), r"one\u{2028}two\u{2029}three\u{85}four");
        assert_eq!(text("שלום\u{200F} мир"), r"שלום\u{200f} мир");
    }

    #[test]
    fn what_is_escaped_in_json_is_the_same_once_it_is_parsed() {
        let event = serde_json::json!({ "id": "\u{7f}\u{9b}31m\u{202E}\u{2028}\u{1b}" });
        let line = one_line(&event.to_string(), LogFormat::Json);
        assert!(line.is_ascii(), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), event);
    }

    #[test]
    fn the_word_is_broken_up_in_any_case_and_wherever_it_is() {
        assert_eq!(without_warn("Warning: forewarned, WARN", LogFormat::Text), "W_arning: forew_arned, W_ARN");
        assert_eq!(without_warn("İwarn", LogFormat::Text), "İw_arn");
    }

    #[test]
    fn in_json_the_word_is_the_same_once_it_is_parsed() {
        let line = without_warn(r#"{"message":"a \\Warning","warn":1}"#, LogFormat::Json);
        assert!(!line.to_ascii_lowercase().contains("warn"), "{line}");
        let expected = serde_json::json!({ "message": r"a \Warning", "warn": 1 });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), expected);
    }
}
