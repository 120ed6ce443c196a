//! The real Azure CLI reads every command line that the scripts make.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use test_support::programs::{check, python};

use crate::stage::{Stage, repository};
use crate::tools::{AZURE_CLI, write};
use crate::{code, failed_push, settings};

#[test]
fn the_azure_cli_accepts_every_command_line_and_keeps_every_value() {
    let Some(python) = python(&[AZURE_CLI]) else { return };
    let push = settings::app();
    let awkward: Value =
        settings::AWKWARD.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    assert!(settings::push(&push, &json!({"app_settings_json": awkward.to_string()})).succeeded);
    let status = code::loaded();
    assert!(code::check_host(&status).succeeded);
    let deployment = Stage::new();
    assert!(code::deploy(&deployment).succeeded);

    let of_push = push.recorded().len();
    let calls = [push.recorded(), deployment.recorded(), status.recorded()].concat();
    let read = read_by_azure_cli(&python, &calls, repository());

    let commands: Vec<_> = read.iter().map(|call| call["parsed"]["command"].as_str().unwrap_or_default()).collect();
    let once: BTreeSet<_> = commands.into_iter().collect();
    assert_eq!(
        once.into_iter().collect::<Vec<_>>(),
        [
            "functionapp config appsettings list",
            "functionapp config appsettings set",
            "functionapp deployment source config-zip",
            "functionapp show",
            "rest",
        ]
    );
    let after = &read[of_push - 1]["settings_after"];
    assert_eq!(after["KEPT"], "as it is", "a setting that was not given has changed");
    assert_eq!(after["ACI_IMAGE"], "r.azurecr.io/w:1");
    for (name, value) in settings::AWKWARD {
        assert_eq!(after[name], *value, "{name}");
    }
    assert_eq!(after.as_object().map(serde_json::Map::len), Some(2 + settings::AWKWARD.len()));
}

/// The CLI's own code restores the old values and removes the new settings.
#[test]
fn a_push_that_is_undone_leaves_the_app_as_it_was() {
    let Some(python) = python(&[AZURE_CLI]) else { return };
    let stage = failed_push::crashing(&[]);
    let request = json!({"app_settings_json": {"KEPT": "changed", "INSTANCE_NEW": "x"}});
    assert!(!settings::push_with(&stage, &request, &[("DEADLINE_SECONDS", "0")]).succeeded);

    let read = read_by_azure_cli(&python, &stage.recorded(), repository());
    let before = json!({"KEPT": "as it is", "ACI_IMAGE": "old"});
    let listed: Vec<Value> = serde_json::from_value(read[0]["answer"].clone()).expect("a list");
    let named: Value =
        listed.iter().map(|it| (it["name"].as_str().expect("a name").to_owned(), it["value"].clone())).collect();
    assert_eq!(named, before, "the app that the scripts see here is not the CLI's");
    let changed = json!({"KEPT": "changed", "ACI_IMAGE": "r.azurecr.io/w:1", "INSTANCE_NEW": "x"});
    assert!(read.iter().any(|call| call["settings_after"] == changed), "{read:?}");
    assert_eq!(read.last().map(|call| &call["settings_after"]), Some(&before));
}

/// What the Azure CLI parses from recorded calls of a folder. It must accept all of them.
pub fn read_by_azure_cli(python: &Path, calls: &[Value], folder_of_calls: &Path) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("calls");
    write(&file, &Value::from(calls).to_string());
    let mut command = Command::new(python);
    command.arg(repository().join("tests/deploy/azure_cli.py")).arg(file).current_dir(folder_of_calls);
    serde_json::from_str(&check(&mut command)).expect("the program prints JSON")
}
