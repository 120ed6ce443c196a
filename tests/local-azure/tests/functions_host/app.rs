//! Function apps for hosts.

use std::collections::BTreeMap;
use std::time::Duration;
use std::{env, fs};

use local_azure::functions_host::{FunctionsHost, HostConfig, Invocation, LogRecord, Outcome};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;

/// The time-out for what is sure to happen, even on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// The first output of the odd handler.
const STARTED: &str = "odd-handler listens";

/// The scaler's own `host.json` and `function.json`.
pub const SCALER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A host whose handler is `odd-handler`, with everything that it needs while it lives.
pub struct OddHost {
    pub host: FunctionsHost,
    _state_folder: TempDir,
}

/// Starts the scaler's app with the odd handler, configured by these settings, in place of the scaler.
pub async fn odd_host(settings: &[(&str, &str)]) -> OddHost {
    odd_host_with(settings, |_| {}).await
}

/// The same with a changed configuration.
pub async fn odd_host_with(settings: &[(&str, &str)], change: impl FnOnce(&mut HostConfig)) -> OddHost {
    let state_folder = tempfile::tempdir().unwrap();
    let mut config = HostConfig::new(SCALER, odd_settings(settings), state_folder.path());
    change(&mut config);
    OddHost { host: FunctionsHost::start(config).await.unwrap(), _state_folder: state_folder }
}

/// Settings that replace an app's handler with the odd one.
pub fn odd_settings(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    let executable = "AzureFunctionsJobHost__customHandler__description__defaultExecutablePath";
    let mut all = BTreeMap::from([(executable.to_owned(), env!("CARGO_BIN_EXE_odd-handler").to_owned())]);
    all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    all
}

/// An app with one function, `Tick`. The binding of its timer has these members in addition to its type and name.
pub fn timer_app(timer: &serde_json::Value) -> TempDir {
    let app = tempfile::tempdir().unwrap();
    fs::create_dir(app.path().join("Tick")).unwrap();
    let host = json!({ "version": "2.0", "customHandler": { "description": { "defaultExecutablePath": "none" } } });
    let mut binding = json!({ "type": "timerTrigger", "direction": "in", "name": "tick" });
    binding.as_object_mut().unwrap().extend(timer.as_object().unwrap().clone());
    fs::write(app.path().join("host.json"), host.to_string()).unwrap();
    fs::write(app.path().join("Tick/function.json"), json!({ "bindings": [binding] }).to_string()).unwrap();
    app
}

impl OddHost {
    /// Invokes the scaler's function, as a run by hand does.
    pub async fn invoke(&self) -> Outcome {
        self.host.invoke(&self.invocation().await).await
    }

    pub async fn invocation(&self) -> Invocation {
        self.host.invocation("ScaleTimer").await.unwrap()
    }

    /// The first record that contains this text, which must come soon.
    pub async fn record(&self, text: &str) -> LogRecord {
        let found = self.host.records().find(text, SOON).await;
        found.unwrap_or_else(|| panic!("no record says {text}: {:#?}", self.host.records().all()))
    }

    /// How many processes of the handler have printed that they started.
    pub fn starts(&self) -> usize {
        self.host.records().all().iter().filter(|record| record.message.contains(STARTED)).count()
    }

    /// Waits until this many processes have started.
    pub async fn started(&self, count: usize) {
        let mut records = self.host.records().follow();
        let started = async {
            for _ in 0..count {
                while !records.recv().await.expect("the host lives").message.contains(STARTED) {}
            }
        };
        timeout(SOON, started).await.unwrap_or_else(|_| panic!("{count} processes: {:#?}", self.host.records().all()));
    }
}
