//! Checks a template against Azure's schema of a container group.

use serde_json::{Map, Value};

use super::schema::{GROUP, Kind, Property};
use super::{ApiVersion, Dropped, Findings};

/// How similar a property's name must be, from 0 to 1, to be suggested.
const MIN_SIMILARITY: f64 = 0.6;

/// Notes everything that the schema does not allow, removes what only Azure sets and what is null, and returns the lowest
/// API version that knows the rest.
pub(super) fn check(group: &mut Map<String, Value>, findings: &mut Findings) -> ApiVersion {
    let mut shape = Shape { findings, api_version: ApiVersion::V2023 };
    shape.object(group, GROUP, "");
    shape.api_version
}

struct Shape<'a> {
    findings: &'a mut Findings,
    api_version: ApiVersion,
}

impl Shape<'_> {
    fn object(&mut self, object: &mut Map<String, Value>, properties: &'static [Property], at: &str) {
        object.retain(|name, value| {
            let property = properties.iter().find(|property| property.name == name);
            if property.is_some_and(|property| property.read_only) && !value.is_null() {
                self.findings.dropped.push(Dropped { path: below(at, name), why: "only Azure sets it" });
            }
            // Azure's tools write null for what is not set.
            !value.is_null() && property.is_none_or(|property| !property.read_only)
        });
        for (name, value) in object.iter_mut() {
            let path = below(at, name);
            match properties.iter().find(|property| property.name == name) {
                Some(property) => {
                    self.api_version = self.api_version.max(property.since);
                    self.value(value, &property.kind, &path);
                }
                None => self.findings.problem(&path, unknown(name, properties)),
            }
        }
        for missing in properties.iter().filter(|property| property.required && !object.contains_key(property.name)) {
            self.findings.problem(&below(at, missing.name), "it is missing");
        }
    }

    fn value(&mut self, value: &mut Value, kind: &Kind, at: &str) {
        let is_right = match (kind, &mut *value) {
            (Kind::Any, value) => value.is_object(),
            (Kind::Object(properties), Value::Object(object)) => {
                self.object(object, properties, at);
                true
            }
            (Kind::Objects(properties), Value::Object(objects)) => {
                for (name, value) in objects {
                    self.value(value, &Kind::Object(properties), &below(at, name));
                }
                true
            }
            (Kind::List(properties), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, &Kind::Object(properties), &format!("{at}[{index}]"));
                }
                true
            }
            (Kind::Texts, Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, &Kind::Text, &format!("{at}[{index}]"));
                }
                true
            }
            (Kind::TextMap, Value::Object(texts)) => {
                for (name, text) in texts {
                    self.value(text, &Kind::Text, &below(at, name));
                }
                true
            }
            (Kind::Text, Value::String(text)) => {
                self.text(text, at);
                true
            }
            (Kind::Word(words), Value::String(word)) => words.contains(&word.as_str()),
            (Kind::Flag, value) => value.is_boolean(),
            (Kind::Whole, value) => value.is_i64(),
            (Kind::Number, value) => value.is_number(),
            _ => false,
        };
        if !is_right {
            self.findings.problem(at, format!("expected {}", expected(kind)));
        }
    }

    fn text(&mut self, text: &str, at: &str) {
        let function = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.split_once('('));
        if function.is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic())) {
            self.findings.problem(at, "expected the value itself, not an expression of an ARM template");
        }
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Whole => "a whole number".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Word(words) => words.join(" or "),
        Kind::Texts => "a list of texts".to_owned(),
        Kind::List(_) => "a list of objects".to_owned(),
        Kind::TextMap | Kind::Object(_) | Kind::Objects(_) | Kind::Any => "an object".to_owned(),
    }
}

/// The problem of an unknown property, with a suggestion.
fn unknown(name: &str, properties: &'static [Property]) -> String {
    let settable = properties.iter().filter(|property| !property.read_only);
    // `az container show` and many blog posts leave out the level `properties`.
    let one_below = settable.clone().find_map(|property| match property.kind {
        Kind::Object(below) if property.name == "properties" && below.iter().any(|property| property.name == name) => {
            Some(format!("properties.{name}"))
        }
        _ => None,
    });
    let likeness = |property: &&Property| {
        strsim::normalized_damerau_levenshtein(&property.name.to_lowercase(), &name.to_lowercase())
    };
    let nearest = settable.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let nearest = nearest.filter(|property| likeness(property) >= MIN_SIMILARITY);
    match one_below.or_else(|| nearest.map(|property| property.name.to_owned())) {
        Some(meant) => format!("there is no such property; did you mean {meant}?"),
        None => "there is no such property".to_owned(),
    }
}
