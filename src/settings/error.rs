//! Errors in the settings.

use std::fmt;

/// All errors in the settings. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsErrors(pub(super) Vec<SettingError>);

impl SettingsErrors {
    /// The errors, in the order in which the settings are read.
    pub fn iter(&self) -> impl Iterator<Item = &SettingError> {
        self.0.iter()
    }
}

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsErrors {}

/// An error in one setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Set it.
    #[error("{name} is not set: {reason}")]
    Missing { name: String, reason: String },
    /// Set it to something else.
    #[error("{}={value}: {reason}", name.escape_debug())]
    Refused {
        name: String,
        /// The variable's value, if it is not secret.
        value: ShownValue,
        reason: String,
    },
}

/// A value as errors show it: on one line, not too long, and never if it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownValue(Option<String>);

impl ShownValue {
    /// Enough to recognise a resource id, and short enough to keep a log line readable.
    const MAX_CHARS: usize = 200;

    pub(super) fn of(value: &str, secret: bool) -> Self {
        let hidden = secret || holds_a_misplaced_secret(value);
        Self((!hidden).then(|| value.chars().take(Self::MAX_CHARS).collect()))
    }
}

impl fmt::Display for ShownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => write!(f, "{value:?}"),
            None => f.write_str("(secret)"),
        }
    }
}

/// Whether the value looks like a connection string, or an address with a password, pasted into the wrong setting.
fn holds_a_misplaced_secret(value: &str) -> bool {
    let has_credentials = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    has_credentials || value.to_ascii_lowercase().contains("sharedaccess")
}
