//! Reads settings one after the other and collects their errors, so that all can be reported at once.

use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;

use super::environment::Environment;
use super::error::{SettingError, SettingsErrors, ShownValue};
use super::reference;
use super::setting::{Fallback, Setting};

/// Reads settings and keeps their errors.
pub(super) struct Reader<'a> {
    environment: &'a dyn Environment,
    errors: Vec<SettingError>,
}

/// A setting is wrong; the [`Reader`] has the error.
#[derive(Debug)]
pub(super) struct Reported;

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a dyn Environment) -> Self {
        Self { environment, errors: Vec::new() }
    }

    /// A setting that is required or has a default.
    pub(super) fn value<T>(&mut self, setting: &Setting, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Reported> {
        self.optional(setting, parse)?.ok_or_else(|| self.missing(setting, format!("expected {}", setting.accepts)))
    }

    /// A setting that may be missing.
    pub(super) fn optional<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Reported> {
        let Some(text) = self.text(setting) else { return Ok(None) };
        if reference::is_unresolved(&text) {
            return Err(self.refused(setting, format!("expected {}, {}", setting.accepts, reference::UNRESOLVED)));
        }
        let parsed = if is_utf8(&text) { parse(&text) } else { None };
        parsed.map(Some).ok_or_else(|| self.refused(setting, format!("expected {}", setting.accepts)))
    }

    pub(super) fn whole<T: FromStr>(&mut self, setting: &Setting) -> Result<T, Reported> {
        self.value(setting, |text| setting.accepts.whole(text))
    }

    pub(super) fn decimal(&mut self, setting: &Setting) -> Result<Decimal, Reported> {
        self.value(setting, |text| setting.accepts.decimal(text))
    }

    pub(super) fn seconds(&mut self, setting: &Setting) -> Result<Duration, Reported> {
        self.whole(setting).map(Duration::from_secs)
    }

    pub(super) fn minutes(&mut self, setting: &Setting) -> Result<Duration, Reported> {
        self.whole(setting).map(Duration::from_mins)
    }

    pub(super) fn flag(&mut self, setting: &Setting) -> Result<bool, Reported> {
        self.value(setting, |text| setting.accepts.flag(text))
    }

    /// The content of a file. Its path is relative to the working directory.
    pub(super) fn file(&self, path: &str) -> std::io::Result<String> {
        self.environment.file(path)
    }

    /// The variables with the prefix: their names without it, and their values unchanged.
    pub(super) fn with_prefix(&self, prefix: &str) -> Vec<(String, String)> {
        let named = |name: String| {
            let value = self.environment.get(&name).filter(|value| !value.is_empty())?;
            Some((name.strip_prefix(prefix)?.to_owned(), value))
        };
        self.environment.names().into_iter().filter(|name| name.starts_with(prefix)).filter_map(named).collect()
    }

    /// Reports a variable of another library that holds an unresolved reference.
    pub(super) fn refuse_reference(&mut self, name: &str) {
        let named = self.with_prefix(name);
        if named.iter().any(|(rest, value)| rest.is_empty() && reference::is_unresolved(value)) {
            let Reported =
                self.refused_secret(name.to_owned(), format!("expected the value itself, {}", reference::UNRESOLVED));
        }
    }

    pub(super) fn missing(&mut self, setting: &Setting, reason: String) -> Reported {
        self.report(SettingError::Missing { name: setting.name.to_owned(), reason })
    }

    /// Reports that the setting's value cannot be used.
    pub(super) fn refused(&mut self, setting: &Setting, reason: String) -> Reported {
        let value = self.text(setting).unwrap_or_default();
        let value = ShownValue::of(&value, setting.secret);
        self.report(SettingError::Refused { name: setting.name.to_owned(), value, reason })
    }

    /// Reports that a variable whose value may be secret cannot be used.
    pub(super) fn refused_secret(&mut self, name: String, reason: String) -> Reported {
        self.report(SettingError::Refused { name, value: ShownValue::of("", true), reason })
    }

    /// The settings, unless there is any error.
    pub(super) fn finish<T>(self, read: Result<T, Reported>) -> Result<T, SettingsErrors> {
        match read {
            Ok(read) if self.errors.is_empty() => Ok(read),
            _ => Err(SettingsErrors(self.errors)),
        }
    }

    fn report(&mut self, error: SettingError) -> Reported {
        self.errors.push(error);
        Reported
    }

    /// The value of a setting without white space around it, or its default. An empty value counts as none: that is how
    /// to unset a setting where variables cannot be removed.
    fn text(&self, setting: &Setting) -> Option<String> {
        let value = self.environment.get(setting.name).map(|value| value.trim().to_owned());
        value.filter(|value| !value.is_empty()).or_else(|| match setting.fallback {
            Fallback::Default(default) => Some(default.to_owned()),
            Fallback::Required | Fallback::Optional => None,
        })
    }
}

/// Whether the value was UTF-8 before an [`Environment`] made it text.
pub(super) fn is_utf8(value: &str) -> bool {
    !value.contains(char::REPLACEMENT_CHARACTER)
}
