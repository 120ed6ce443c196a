//! What differs in the container groups of some subscriptions.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::aci::{self, AciSettings};
use super::image;
use super::reader::{Reader, Reported};
use super::setting::{Accepts, Fallback, Setting};
use super::template::{Templates, merge_patch};
use crate::container_group::{MemoryGb, Override, Overrides, SubscriptionPattern};

pub(super) const OVERRIDES: Setting = Setting {
    name: "ACI_SUBSCRIPTION_OVERRIDES",
    doc: "What differs in the container groups of some subscriptions: JSON, or the path of a file with it, by \
          subscription or by pattern (`{\"601-1GB\": {\"cpu\": 4, \"max_instances\": 10}, \"*\": {\"image\": \"...\"}}`). Keys are \
          `image`, `cpu`, `cpu_multiplier`, `max_cpu`, `memory_multiplier`, `min_memory_gb`, `max_memory_gb`, \
          `max_instances` and `template`, which is merged over `ACI_GROUP_TEMPLATE`. If several entries match, the most \
          specific one that has a key decides it.",
    accepts: Accepts::Text(
        "JSON, such as {\"601-1GB\": {\"cpu\": 4}, \"*\": {\"max_instances\": 10}}, or the path of a file with it",
    ),
    fallback: Fallback::Optional,
    secret: true,
};

/// The keys of an entry.
const KEYS: [&str; 9] = [
    "image",
    "cpu",
    "cpu_multiplier",
    "max_cpu",
    "memory_multiplier",
    "min_memory_gb",
    "max_memory_gb",
    "max_instances",
    "template",
];

/// How similar an unknown key must be to a known one, from 0 to 1, for the error to suggest it.
const MIN_SIMILARITY: f64 = 0.6;

/// Reads the entries of the setting, given the general settings, as far as they are known, and the general template.
pub(super) fn read(
    reader: &mut Reader<'_>,
    json: Option<Value>,
    aci: Option<&AciSettings>,
    general: &Value,
    templates: &mut Templates<'_>,
) -> Result<Overrides, Reported> {
    let Some(json) = json else { return Ok(Overrides::default()) };
    let Value::Object(entries) = json else {
        return Err(reader.refused(&OVERRIDES, format!("expected {}", OVERRIDES.accepts)));
    };
    let mut overrides = Vec::new();
    let mut is_right = true;
    for (name, entry) in &entries {
        let mut entry = match (SubscriptionPattern::parse(name), entry) {
            (Some(pattern), Value::Object(keys)) => Entry { reader, name, keys, pattern, is_right: true },
            (None, _) => {
                let Reported = reader.refused(
                    &OVERRIDES,
                    format!("{}: expected a subscription's name, or a part of it with *", name.escape_debug()),
                );
                is_right = false;
                continue;
            }
            (_, _) => {
                let Reported = reader.refused(&OVERRIDES, format!("{name}: expected an object"));
                is_right = false;
                continue;
            }
        };
        let read = entry.read(general, templates);
        is_right &= entry.is_right;
        overrides.push(read);
    }
    let overrides = Overrides::new(overrides);
    if is_right && let Some(aci) = aci {
        for name in entries.keys() {
            is_right &= check_bounds(reader, &overrides, name, aci);
        }
    }
    is_right.then_some(overrides).ok_or(Reported)
}

struct Entry<'r, 'e, 'j> {
    reader: &'r mut Reader<'e>,
    name: &'j str,
    keys: &'j Map<String, Value>,
    pattern: SubscriptionPattern,
    is_right: bool,
}

impl Entry<'_, '_, '_> {
    fn read(&mut self, general: &Value, templates: &mut Templates<'_>) -> Override {
        for key in self.keys.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let likeness = |known: &&str| strsim::normalized_damerau_levenshtein(known, &key.to_lowercase());
            let nearest = KEYS.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let meant = nearest.filter(|known| likeness(known) >= MIN_SIMILARITY);
            let meant = meant.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
            self.refuse(&key.escape_debug().to_string(), &format!("there is no such key{meant}"));
        }
        let decimal = |setting: &'static Setting| move |value: &Value| setting.accepts.decimal(&number(value)?);
        let memory = |setting: &'static Setting| {
            move |value: &Value| MemoryGb::from_decimal(setting.accepts.decimal(&number(value)?)?).ok()
        };
        let whole = |value: &Value| aci::MAX_INSTANCES.accepts.whole(&number(value)?);
        Override {
            image: self.key("image", &aci::IMAGE, |value| image::parse(value.as_str()?.trim())),
            cpu: self.key("cpu", &aci::DEFAULT_CPU, decimal(&aci::DEFAULT_CPU)),
            cpu_multiplier: self.key("cpu_multiplier", &aci::CPU_MULTIPLIER, decimal(&aci::CPU_MULTIPLIER)),
            max_cpu: self.key("max_cpu", &aci::MAX_CPU, decimal(&aci::MAX_CPU)),
            memory_multiplier: self.key("memory_multiplier", &aci::MEMORY_MULTIPLIER, decimal(&aci::MEMORY_MULTIPLIER)),
            min_memory: self.key("min_memory_gb", &aci::MIN_MEMORY, memory(&aci::MIN_MEMORY)),
            max_memory: self.key("max_memory_gb", &aci::MAX_MEMORY, memory(&aci::MAX_MEMORY)),
            max_instances: self.key("max_instances", &aci::MAX_INSTANCES, whole),
            template: self.template(general, templates),
            pattern: self.pattern.clone(),
        }
    }

    /// The value of a key, which overrides a setting.
    fn key<T>(&mut self, key: &str, setting: &Setting, parse: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.keys.get(key)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.refuse(key, &format!("expected {}", setting.accepts));
        }
        parsed
    }

    fn template(
        &mut self,
        general: &Value,
        templates: &mut Templates<'_>,
    ) -> Option<crate::container_group::GroupTemplate> {
        let patch = self.keys.get("template")?;
        let mut json = general.clone();
        merge_patch(&mut json, patch);
        let at = format!("{}.template.", self.name);
        let template = templates.check(self.reader, &json, &OVERRIDES, &at);
        self.is_right &= template.is_ok();
        template.ok()
    }

    fn refuse(&mut self, key: &str, reason: &str) {
        self.is_right = false;
        let Reported = self.reader.refused(&OVERRIDES, format!("{}.{key}: {reason}", self.name));
    }
}

/// A number as text, so that decimals stay exact.
fn number(value: &Value) -> Option<String> {
    value.is_number().then(|| value.to_string())
}

/// Whether the bounds for a subscription with an entry's name are in order.
fn check_bounds(reader: &mut Reader<'_>, overrides: &Overrides, name: &str, aci: &AciSettings) -> bool {
    let entries = || overrides.of(&name.into()).collect::<Vec<_>>().into_iter();
    let memory = |of: fn(&Override) -> Option<MemoryGb>, general| entries().find_map(of).unwrap_or(general);
    let cores = |of: fn(&Override) -> Option<Decimal>, general| entries().find_map(of).unwrap_or(general);
    let mut is_right = true;
    if memory(|entry| entry.min_memory, aci.min_memory) > memory(|entry| entry.max_memory, aci.max_memory) {
        is_right = false;
        let Reported = reader.refused(&OVERRIDES, format!("{name}: its least memory is more than its most"));
    }
    if cores(|entry| entry.cpu, aci.default_cpu) > cores(|entry| entry.max_cpu, aci.max_cpu) {
        is_right = false;
        let Reported = reader.refused(&OVERRIDES, format!("{name}: its cpu is more than its max_cpu"));
    }
    is_right
}
