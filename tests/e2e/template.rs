//! The message of `TEST_MESSAGE_JSON_PATH`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use local_azure::sample::FILE_SIZE_MB;
use local_azure::service_bus::{OutgoingMessage, Value as AmqpValue};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value};

/// A message without its id and file size.
pub struct Template(Map<String, Value>);

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("TEST_MESSAGE_JSON_PATH: {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("TEST_MESSAGE_JSON_PATH: {} holds no JSON object: {source}", path.display())]
    NoObject { path: PathBuf, source: serde_json::Error },
}

impl Template {
    pub fn read(path: &Path) -> Result<Self, TemplateError> {
        let text = fs::read(path).map_err(|source| TemplateError::Unreadable { path: path.to_owned(), source })?;
        let object = serde_json::from_slice(&text);
        object.map(Self).map_err(|source| TemplateError::NoObject { path: path.to_owned(), source })
    }

    /// A message with this id about a file of this size in MiB: an integer if possible, as senders write it.
    pub fn message(&self, id: &str, file_size_mb: Decimal) -> OutgoingMessage {
        let mut body = self.0.clone();
        body.insert("messageId".to_owned(), id.into());
        let size = match file_size_mb.to_i64() {
            Some(size) if file_size_mb.is_integer() => AmqpValue::from(size),
            _ => AmqpValue::from(file_size_mb.to_f64().expect("a decimal is no larger than a double")),
        };
        OutgoingMessage::new()
            .message_id(id.to_owned())
            .property(FILE_SIZE_MB.to_owned(), size)
            .body(Value::Object(body).to_string())
    }
}

mod tests {
    use super::{Path, Template};

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let error = Template::read(Path::new("/nowhere.json")).err().unwrap().to_string();
        assert!(error.starts_with("TEST_MESSAGE_JSON_PATH: /nowhere.json cannot be read"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[1]").unwrap();
        let error = Template::read(file.path()).err().unwrap().to_string();
        assert!(error.contains("holds no JSON object"), "{error}");
    }
}
