//! What the scaler logs, as far as it belongs to the story.

use serde_json::Value;

use crate::functions_host::{Level, LogRecord};

/// What the text of an event begins with that holds a line of a container's log.
const CONTAINER_LOG: &str = "container log: ";

/// What the scaler says when it has deleted a group.
const DELETED: &str = "deleted a container group";

/// What is to be told of a record of the host's log, and in whose name: the lines of containers that the scaler keeps,
/// the groups that it deletes, and whatever somebody should look at. The scaler logs in JSON.
pub(crate) fn worth_telling(record: &LogRecord) -> Option<(&'static str, String)> {
    let event: Value = serde_json::from_str(&record.message).unwrap_or_default();
    let message = event["fields"]["message"].as_str();
    let group = event["fields"]["group"].as_str().unwrap_or_default();
    if let Some(line) = message.and_then(|message| message.strip_prefix(CONTAINER_LOG)) {
        return Some(("log", format!("{group} | {line}")));
    }
    if message == Some(DELETED) {
        return Some(("group", format!("{group} is deleted, its log is kept")));
    }
    // How an invocation ended is told by whoever invoked.
    let is_trouble = record.level >= Level::Warning && !record.category.starts_with("Function.");
    is_trouble.then(|| ("scaler", format!("{:?}: {}", record.level, message.unwrap_or(&record.message))))
}
