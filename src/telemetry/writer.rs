//! Puts each event's line on the stream of its level, in a form that the host reads as one record of that level.

use std::fmt::Write as _;
use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// What a line of the log looks like.
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

    /// Only for events whose level is not known, of which there are none.
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

/// Writes one event, which comes in one piece.
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
        let mut line = one_line(&String::from_utf8_lossy(event));
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

/// The event without its final newline, its other control characters written as Rust would write them.
fn one_line(event: &str) -> String {
    let event = event.strip_suffix('\n').unwrap_or(event);
    event.chars().fold(String::with_capacity(event.len() + 1), |mut line, character| {
        if character.is_control() {
            _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
        line
    })
}

/// The line with each `warn` broken up: the host would take the line for a warning.
///
/// In text it becomes `w_arn`. In JSON its first letter becomes an escape, which a parser turns back.
fn without_warn(line: &str, format: LogFormat) -> String {
    // Lower case of ASCII alone, so that positions stay the same.
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

    #[test]
    fn control_characters_are_escaped_and_all_else_is_left_alone() {
        assert_eq!(one_line("a\r\nb\u{1b}[0m — “c”\n"), r"a\r\nb\u{1b}[0m — “c”");
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
