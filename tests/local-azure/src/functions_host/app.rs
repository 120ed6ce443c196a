//! The function app: its `host.json`, and the `function.json` of each folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use serde_json::Value;

use super::keys::{expand, find, flag, is_true, set, text};
use super::schedule::{Schedule, time_span};

/// The app setting that changes a key of `host.json`, its path joined by two underscores.
const OVERRIDE: &str = "AzureFunctionsJobHost__";
/// `functionTimeout` on every plan but Consumption.
const DEFAULT_FUNCTION_TIMEOUT: Duration = Duration::from_mins(30);
/// `HttpWorkerOptions.cs`.
const DEFAULT_INITIALIZATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The host does not start with such files.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A file of the app cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// `host.json` is not one of a custom handler.
    #[error("host.json: {0}")]
    HostJson(String),
}

/// A function app that the host can run.
#[derive(Debug)]
pub(super) struct App {
    /// Nothing if functions may run without a limit.
    pub(super) function_timeout: Option<Duration>,
    pub(super) initialization_timeout: Duration,
    pub(super) executable: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) working_directory: PathBuf,
    pub(super) stderr_is_for_errors: bool,
    pub(super) functions: Vec<Function>,
    /// Why other folders have no function that can run: the host logs it and goes on.
    pub(super) problems: Vec<String>,
}

/// A function with a timer.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// The name of the timer's value in the request.
    pub(super) binding: String,
    pub(super) schedule: Schedule,
    pub(super) use_monitor: bool,
    pub(super) run_on_startup: bool,
    pub(super) is_disabled: bool,
}

impl App {
    /// Reads the app in this folder.
    pub(super) fn load(root: &Path, settings: &BTreeMap<String, String>) -> Result<Self, AppError> {
        let mut host = read_json(&root.join("host.json"))?;
        for (path, value) in settings.iter().filter_map(|(name, value)| Some((name.strip_prefix(OVERRIDE)?, value))) {
            set(&mut host, path, value);
        }
        if text(&host, "version").as_deref() != Some("2.0") {
            return Err(AppError::HostJson("its version must be \"2.0\"".to_owned()));
        }
        let Some(handler) = find(&host, "customHandler__description").filter(|value| value.is_object()) else {
            return Err(AppError::HostJson("it has no customHandler.description".to_owned()));
        };
        let Some(executable) = text(handler, "defaultExecutablePath").filter(|path| !path.is_empty()) else {
            return Err(AppError::HostJson("its customHandler.description has no defaultExecutablePath".to_owned()));
        };
        let arguments = find(handler, "arguments").and_then(Value::as_array).into_iter().flatten();
        // Joined without quotes: an argument with a space becomes two.
        let arguments: Vec<_> =
            arguments.filter_map(Value::as_str).map(|argument| expand(argument, settings)).collect();
        let (functions, problems) = functions(root, settings)?;
        Ok(Self {
            function_timeout: function_timeout(&host)?,
            initialization_timeout: text(&host, "customHandler__initializationTimeout")
                .and_then(|limit| time_span(&limit))
                .unwrap_or(DEFAULT_INITIALIZATION_TIMEOUT),
            executable: expand(&executable, settings).into(),
            arguments: arguments.join(" ").split_whitespace().map(str::to_owned).collect(),
            working_directory: root.join(text(handler, "workingDirectory").unwrap_or_default()),
            stderr_is_for_errors: flag(handler, "useStdErrorStreamForErrorsOnly", true),
            functions,
            problems,
        })
    }

    /// The function with this name.
    pub(super) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }
}

fn function_timeout(host: &Value) -> Result<Option<Duration>, AppError> {
    match text(host, "functionTimeout").as_deref() {
        None => Ok(Some(DEFAULT_FUNCTION_TIMEOUT)),
        Some("-1") => Ok(None),
        Some(limit) => match time_span(limit) {
            Some(limit) if limit >= Duration::from_secs(1) => Ok(Some(limit)),
            _ => Err(AppError::HostJson(format!(
                "functionTimeout is `{limit}`: it must be -1 or a time of a second or more"
            ))),
        },
    }
}

/// The functions in the app's folders, and what is wrong with those that cannot run.
fn functions(root: &Path, settings: &BTreeMap<String, String>) -> Result<(Vec<Function>, Vec<String>), AppError> {
    let unreadable = |source| AppError::Unreadable { path: root.to_owned(), source };
    let (mut functions, mut problems) = (Vec::new(), Vec::new());
    for folder in fs::read_dir(root).map_err(unreadable)? {
        let path = folder.map_err(unreadable)?.path();
        if !path.join("function.json").is_file() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match read_json(&path.join("function.json"))
            .map_err(|error| error.to_string())
            .and_then(|json| Function::parse(&name, &json, settings))
        {
            Ok(function) => functions.push(function),
            Err(problem) => problems.push(format!("The '{name}' function is in error: {problem}")),
        }
    }
    functions.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((functions, problems))
}

impl Function {
    fn parse(name: &str, json: &Value, settings: &BTreeMap<String, String>) -> Result<Self, String> {
        if !is_name(name, "_-", 128) || name.eq_ignore_ascii_case("host") {
            return Err("its folder's name is no function name".to_owned());
        }
        let bindings = find(json, "bindings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let timer = bindings
            .iter()
            .find(|binding| text(binding, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("timerTrigger")));
        let timer = timer.ok_or("it has no timerTrigger, the only trigger known here")?;
        let binding = text(timer, "name").filter(|name| is_name(name, "", 128)).ok_or("its binding's name is none")?;
        let schedule = text(timer, "schedule").ok_or("it has no schedule")?;
        let schedule = match schedule.strip_prefix('%').and_then(|schedule| schedule.strip_suffix('%')) {
            Some(setting) => settings.get(setting).ok_or_else(|| format!("%{setting}% does not resolve to a value"))?,
            None => &schedule,
        };
        let disabled = [format!("AzureWebJobs.{name}.Disabled"), format!("AzureWebJobs_{name}_Disabled")];
        Ok(Self {
            name: name.to_owned(),
            binding,
            schedule: Schedule::parse(schedule)?,
            use_monitor: flag(timer, "useMonitor", true),
            run_on_startup: flag(timer, "runOnStartup", false),
            is_disabled: disabled.iter().any(|name| settings.get(name).is_some_and(|value| is_true(value))),
        })
    }
}

/// A letter, then letters, digits and `others` (`Utility.cs`).
fn is_name(name: &str, others: &str, longest: usize) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= longest
        && name.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
}

fn read_json(path: &Path) -> Result<Value, AppError> {
    let unreadable = |source| AppError::Unreadable { path: path.to_owned(), source };
    let text = fs::read(path).map_err(unreadable)?;
    serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn app(host: &Value, function: &Value, pairs: &[(&str, &str)]) -> Result<App, AppError> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("Tick")).unwrap();
        fs::write(root.path().join("host.json"), host.to_string()).unwrap();
        fs::write(root.path().join("Tick/function.json"), function.to_string()).unwrap();
        App::load(root.path(), &settings(pairs))
    }

    fn host() -> Value {
        json!({ "version": "2.0", "customHandler": { "description": {
            "defaultExecutablePath": "bin/%WHICH%", "arguments": ["a b", "%UNSET%", "c"] } } })
    }

    fn timer(schedule: &str) -> Value {
        json!({ "bindings": [{ "type": "timerTrigger", "name": "tick", "schedule": schedule }] })
    }

    #[test]
    fn settings_are_put_in_and_arguments_come_apart_at_spaces() {
        let pairs = [("WHICH", "one"), ("WHEN", "0 * * * * *"), ("AzureWebJobs_Tick_Disabled", "true")];
        let app = app(&host(), &timer("%WHEN%"), &pairs).unwrap();
        assert_eq!(app.executable, Path::new("bin/one"));
        assert_eq!(app.arguments, ["a", "b", "c"]);
        assert!(app.function("Tick").unwrap().is_disabled);
    }

    #[test]
    fn a_setting_overrides_a_key_of_the_file_whatever_its_case() {
        let pairs = [
            ("AzureFunctionsJobHost__customHandler__Description__defaultExecutablePath", "/bin/other"),
            ("AzureFunctionsJobHost__functionTimeout", "00:00:02"),
        ];
        let app = app(&host(), &timer("0 * * * * *"), &pairs).unwrap();
        assert_eq!(app.executable, Path::new("/bin/other"));
        assert_eq!(app.function_timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_function_in_error_is_reported_and_does_not_stop_the_host() {
        for (function, problem) in [
            (timer("%WHEN%"), "%WHEN% does not resolve to a value"),
            (timer("sometimes"), "`sometimes` is no schedule"),
            (json!({ "bindings": [{ "type": "queueTrigger", "name": "q" }] }), "it has no timerTrigger"),
            (json!({ "bindings": [{ "type": "timerTrigger", "name": "a_b" }] }), "its binding's name is none"),
        ] {
            let app = app(&host(), &function, &[]).unwrap();
            assert!(app.functions.is_empty());
            assert!(app.problems[0].contains(problem), "{:?}", app.problems);
        }
    }

    #[test]
    fn a_host_file_that_is_not_of_a_custom_handler_stops_the_host() {
        for host in [
            json!({}),
            json!({ "version": "2.0" }),
            json!({ "version": "2.0", "customHandler": { "description": {} } }),
        ] {
            assert!(matches!(app(&host, &timer("0 * * * * *"), &[]), Err(AppError::HostJson(_))));
        }
    }
}
