//! What is logged, and how.

use super::environment::Environment;
use super::error::SettingsErrors;
use super::reader::{Reader, Reported};
use super::setting::{Accepts, Fallback, Setting};
use crate::telemetry::{self, LogFormat};

/// The `LOG_*` settings. They are read before the others, whose errors are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Directives that [`telemetry::install`] accepts, such as `info` or `info,aci_scaler=debug`.
    pub directives: String,
    pub format: LogFormat,
    pub container_lines: ContainerLines,
}

/// Of which containers the last lines are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerLines {
    #[default]
    All,
    /// Of those whose attempt has failed.
    Failures,
    None,
}

const LEVEL: Setting = Setting {
    name: "LOG_LEVEL",
    doc: "What the scaler logs: a level, or a list of directives such as `info,aci_scaler=debug`.",
    accepts: Accepts::Text("error, warn, info, debug, trace or off, or a list such as info,aci_scaler=debug"),
    fallback: Fallback::Default(DEFAULT_LEVEL),
    secret: false,
};

const RUST_LOG: Setting = Setting {
    name: "RUST_LOG",
    doc: "The same under the name that Rust programs use; it takes precedence over `LOG_LEVEL`.",
    accepts: Accepts::Text("error, warn, info, debug, trace or off, or a list such as info,aci_scaler=debug"),
    fallback: Fallback::Optional,
    secret: false,
};

const FORMAT: Setting = Setting {
    name: "LOG_FORMAT",
    doc: "The format of a log line.",
    accepts: Accepts::Text("text or json"),
    fallback: Fallback::Default("text"),
    secret: false,
};

const CONTAINER_LINES: Setting = Setting {
    name: "LOG_CONTAINER_LINES",
    doc: "Which containers' last 20 lines the scaler logs before it deletes their group: all, those that failed, or none. The \
          lines may contain data that readers of the log must not see.",
    accepts: Accepts::Text("all, failures or none"),
    fallback: Fallback::Default("all"),
    secret: false,
};

pub(super) const ALL: [&Setting; 4] = [&LEVEL, &RUST_LOG, &FORMAT, &CONTAINER_LINES];

const DEFAULT_LEVEL: &str = "info";

impl Default for LogSettings {
    /// What is logged until the settings are known, and when they are wrong.
    fn default() -> Self {
        Self {
            directives: DEFAULT_LEVEL.to_owned(),
            format: LogFormat::Text,
            container_lines: ContainerLines::default(),
        }
    }
}

impl LogSettings {
    /// Reads the settings of the log alone. [`Settings::from_environment`](super::Settings::from_environment)
    /// reports their errors again, with all others.
    pub fn from_environment(environment: &impl Environment) -> Result<Self, SettingsErrors> {
        let mut reader = Reader::new(environment);
        let settings = Self::read(&mut reader);
        reader.finish(settings)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Reported> {
        let level = reader.value(&LEVEL, parse_level);
        let rust_log = reader.optional(&RUST_LOG, parse_directives);
        let format = reader.value(&FORMAT, |text| match text.to_ascii_lowercase().as_str() {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        let container_lines = reader.value(&CONTAINER_LINES, |text| match text.to_ascii_lowercase().as_str() {
            "all" => Some(ContainerLines::All),
            "failures" => Some(ContainerLines::Failures),
            "none" => Some(ContainerLines::None),
            _ => None,
        });
        let (level, rust_log) = (level?, rust_log?);
        Ok(Self { directives: rust_log.unwrap_or(level), format: format?, container_lines: container_lines? })
    }
}

/// Directives, each of which is a level or sets one. Levels may have the names of other programs.
fn parse_level(text: &str) -> Option<String> {
    let directives: Option<Vec<_>> = text.split(',').map(str::trim).map(parse_directive).collect();
    parse_directives(&directives?.join(","))
}

fn parse_directive(directive: &str) -> Option<String> {
    match directive.to_ascii_lowercase().as_str() {
        level @ ("off" | "error" | "warn" | "info" | "debug" | "trace") => Some(level.to_owned()),
        // Python's names, which settings of the Python scaler may have.
        "warning" => Some("warn".to_owned()),
        "critical" => Some("error".to_owned()),
        _ => directive.contains('=').then(|| directive.to_owned()),
    }
}

fn parse_directives(text: &str) -> Option<String> {
    telemetry::accepts(text).then(|| text.to_owned())
}
