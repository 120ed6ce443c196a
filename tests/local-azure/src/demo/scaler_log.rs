//! The lines of the scaler's log that belong to the story.

use serde_json::Value;

use crate::functions_host::{Level, LogRecord};

/// What to report of a record of the host's log, and under whose name: the sums of passes, the last lines of containers, deleted
/// groups, and warnings and errors. The scaler logs in JSON.
pub(crate) fn worth_telling(record: &LogRecord) -> Vec<(&'static str, String)> {
    let event: Value = serde_json::from_str(&record.message).unwrap_or_default();
    let fields = &event["fields"];
    let (message, group) = (fields["message"].as_str(), fields["group"].as_str().unwrap_or_default());
    let lines = fields["last_lines"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut told: Vec<_> = lines.map(|line| ("log", format!("{group} | {line}"))).collect();
    match fields["event"].as_str() {
        Some("pass") => told.push(("pass", message.unwrap_or_default().to_owned())),
        Some("deleted") => told.push(("group", format!("{group} is deleted, its log is kept"))),
        // Whoever invoked the scaler reports how the invocation ended.
        _ if record.level >= Level::Warning && !record.category.starts_with("Function.") => {
            told.push(("scaler", format!("{:?}: {}", record.level, message.unwrap_or(&record.message))));
        }
        _ => {}
    }
    told
}
