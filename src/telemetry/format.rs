//! The format of log lines.
//!
//! * A line of JSON is an object with `timestamp`, `level`, `fields`, `target` and, within an invocation, `spans`. The event's
//!   sentence is `fields.message`, its name `fields.event`, and every number is a number.
//! * A line of text has the sentence first, then the fields that the sentence does not include.

use std::fmt::{self, Debug};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// A field of several lines: an array in JSON, joined on one line in text.
const LINES: &str = "last_lines";

/// Fields whose text is JSON: JSON includes them as values. Text leaves them out, because their sums are in the sentence.
const OBJECTS: [&str; 3] = ["messages", "groups", "subscriptions"];

/// The field with the event's name. Text leaves it out.
const NAME: &str = "event";

/// The name of events without one: those of dependencies, and those below INFO.
const UNNAMED: &str = "other";

/// Formats events as JSON.
pub(super) struct JsonEvents;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    fields: Map<String, Value>,
    target: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    spans: Vec<Value>,
}

impl<S, N> FormatEvent<S, N> for JsonEvents
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = JsonFields::default();
        event.record(&mut fields);
        fields.0.entry(NAME).or_insert_with(|| UNNAMED.into());
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let spans = context.event_scope().into_iter().flat_map(Scope::from_root).map(|span| {
            let extensions = span.extensions();
            let formatted = extensions.get::<FormattedFields<N>>().map_or("{}", |fields| fields.as_str());
            let mut fields: Map<String, Value> = serde_json::from_str(formatted).unwrap_or_default();
            fields.insert("name".to_owned(), span.name().into());
            Value::Object(fields)
        });
        let (metadata, spans) = (event.metadata(), spans.collect());
        let (level, target) = (metadata.level().as_str(), metadata.target());
        let line = Line { timestamp, level, fields: fields.0, target, spans };
        writeln!(writer, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

#[derive(Default)]
struct JsonFields(Map<String, Value>);

impl JsonFields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for JsonFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            LINES => self.insert(field, value.lines().map(Value::from).collect::<Vec<_>>()),
            name if OBJECTS.contains(&name) => {
                self.insert(field, serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
            }
            _ => self.insert(field, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, format!("{value:?}"));
    }
}

/// Formats the fields of events and spans as text.
pub(super) struct TextFields;

impl<'a> FormatFields<'a> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut text = Text { writer, is_first: true, result: Ok(()) };
        fields.record(&mut text);
        text.result
    }
}

struct Text<'a> {
    writer: Writer<'a>,
    is_first: bool,
    result: fmt::Result,
}

impl Text<'_> {
    fn write(&mut self, text: fmt::Arguments<'_>) {
        let space = if self.is_first { "" } else { " " };
        self.is_first = false;
        if self.result.is_ok() {
            self.result = write!(self.writer, "{space}{text}");
        }
    }
}

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.write(format_args!("{value}")),
            LINES => self.write(format_args!("{LINES}={:?}", value.lines().collect::<Vec<_>>().join(" | "))),
            name if name == NAME || OBJECTS.contains(&name) => {}
            name => self.write(format_args!("{name}={value:?}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.write(format_args!("{value:?}")),
            name => self.write(format_args!("{name}={value:?}")),
        }
    }
}
