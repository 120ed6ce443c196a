//! Looks things up in configuration as .NET does: case does not matter, and a string can be a flag.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The value at a path whose parts are joined by two underscores; as in .NET, case does not matter.
pub(super) fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split("__").try_fold(value, |value, part| {
        value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(part)).map(|(_, value)| value)
    })
}

/// Sets the value at such a path, and creates what is missing on the way.
pub(super) fn set(value: &mut Value, path: &str, text: &str) {
    let slot = path.split("__").fold(value, |value, part| {
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
        let key = value.as_object().and_then(|object| object.keys().find(|key| key.eq_ignore_ascii_case(part)));
        let key = key.cloned().unwrap_or_else(|| part.to_owned());
        &mut value[key]
    });
    *slot = Value::String(text.to_owned());
}

/// The string at such a path.
pub(super) fn text(value: &Value, path: &str) -> Option<String> {
    find(value, path)?.as_str().map(str::to_owned)
}

/// The flag at such a path.
pub(super) fn flag(value: &Value, path: &str, default: bool) -> bool {
    match find(value, path) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => is_true(text),
        _ => default,
    }
}

/// Whether a string means yes.
pub(super) fn is_true(text: &str) -> bool {
    text == "1" || text.eq_ignore_ascii_case("true")
}

/// Replaces each `%NAME%` by the setting's value, and by nothing if there is none.
pub(super) fn expand(text: &str, settings: &BTreeMap<String, String>) -> String {
    let mut parts = text.split('%');
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    while let Some(name) = parts.next() {
        match parts.next() {
            Some(rest) => {
                expanded.push_str(settings.get(name).map_or("", String::as_str));
                expanded.push_str(rest);
            }
            None => expanded.extend(["%", name]),
        }
    }
    expanded
}
