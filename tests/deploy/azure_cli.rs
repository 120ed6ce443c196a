//! The real Azure CLI reads every command line that the scripts make.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use test_support::programs::{check, python};

use crate::stage::{Stage, repository};
use crate::tools::{AZURE_CLI, write};
use crate::{code, settings};

#[test]
fn the_azure_cli_accepts_every_command_line_and_keeps_every_value() {
    let Some(python) = python(&[AZURE_CLI]) else { return };
    let push = Stage::new();
    let awkward: Value =
        settings::AWKWARD.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    assert!(settings::push(&push, &json!({"app_settings_json": awkward.to_string()})).succeeded);
    let status = code::loaded();
    assert!(code::check_host(&status).succeeded);
    let deployment = Stage::new();
    assert!(code::deploy(&deployment).succeeded);

    let calls = [push.recorded(), deployment.recorded(), status.recorded()].concat();
    let read = read_by_azure_cli(&python, &calls);

    let commands: Vec<_> = read.iter().map(|call| call["parsed"]["command"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        commands,
        [
            "functionapp config appsettings set",
            "functionapp restart",
            "functionapp deployment source config-zip",
            "functionapp show",
            "rest",
            "rest"
        ]
    );
    let after = &read[0]["settings_after"];
    assert_eq!(after["KEPT"], "as it is", "a setting that was not given has changed");
    assert_eq!(after["ACI_IMAGE"], "r.azurecr.io/w:1");
    for (name, value) in settings::AWKWARD {
        assert_eq!(after[name], *value, "{name}");
    }
    assert_eq!(after.as_object().map(serde_json::Map::len), Some(2 + settings::AWKWARD.len()));
}

/// What the Azure CLI makes of recorded calls, all of which it has to accept.
pub fn read_by_azure_cli(python: &Path, calls: &[Value]) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("calls");
    write(&file, &Value::from(calls).to_string());
    let mut command = Command::new(python);
    command.arg(repository().join("tests/deploy/azure_cli.py")).arg(file).current_dir(repository());
    serde_json::from_str(&check(&mut command)).expect("the program prints JSON")
}
