//! The guide's commands: run with stand-ins for `az` and `gh`, and read by the real Azure CLI.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use test_support::programs::python;

use crate::azure_cli::read_by_azure_cli;
use crate::code;
use crate::stage::repository;
use crate::tools::{AZURE_CLI, no_python, write};

#[test]
fn every_command_of_the_guide_is_one_that_the_azure_cli_accepts() {
    if no_python() {
        return;
    }
    let id = |kind: &str| json!(format!("/subscriptions/s/resourceGroups/g/providers/{kind}/x"));
    let stage = code::loaded()
        .answer("--query principalId", &[json!("00000000-0000-0000-0000-00000000000a")])
        .answer("--query clientId", &[json!("00000000-0000-0000-0000-00000000000b")])
        .answer("acr show", &[id("Microsoft.ContainerRegistry/registries")])
        .answer("plan show", &[id("Microsoft.Web/serverfarms")])
        .answer("keyvault show", &[id("Microsoft.KeyVault/vaults")])
        .answer("resource show", &[id("Microsoft.Insights/components")])
        .answer("signed-in-user show", &[json!("00000000-0000-0000-0000-00000000000e")])
        .answer("role assignment list", &[json!(ASSIGNMENTS.join("\n"))])
        .answer(
            "oidc/customization/sub",
            &[json!(r#"{"use_default": true, "sub_claim_prefix": "repo:OWNER@1/NAME@2"}"#)],
        )
        .answer("account show", &[json!("00000000-0000-0000-0000-00000000000c")]);
    let top = stage.path("top");
    fs::create_dir(&top).expect("a folder of our own");
    for folder in [".github", "docs"] {
        symlink(repository().join(folder), top.join(folder)).expect("a new name");
    }
    fs::copy(repository().join("docs/azuredeploy.parameters.example.json"), top.join("parameters.json"))
        .expect("a copy");
    write(&top.join("api-key.txt"), "secret");
    write(&top.join("guide.sh"), &commands());

    let ran = stage.execute(Command::new("bash").args(["-euo", "pipefail", "guide.sh"]).current_dir(&top), &[]);
    assert!(ran.succeeded, "{}", ran.printed);
    let (azure, github): (Vec<_>, Vec<_>) = stage.recorded().into_iter().partition(|call| call["program"] == "az");
    assert!(azure.len() > 20, "{} calls of az", azure.len());
    assert_eq!(github.len(), 5);
    assert_eq!(github[2]["arguments"][8], "00000000-0000-0000-0000-00000000000b");

    let Some(python) = python(&[AZURE_CLI]) else { return };
    let read = read_by_azure_cli(&python, &azure, &top);
    let parsed = |command: &str, argument: &str| -> Vec<Value> {
        let calls = read.iter().map(|call| &call["parsed"]).filter(|call| call["command"] == command);
        calls.map(|call| call[argument].clone()).collect()
    };
    assert_eq!(
        parsed("role assignment create", "role"),
        ["AcrPull", "Website Contributor", "Reader", "Reader", "Key Vault Secrets Officer", "Key Vault Secrets User"]
    );
    assert_eq!(parsed("deployment group create", "deployment_name"), ["scaler"]);
    assert_eq!(parsed("identity federated-credential create", "command").len(), 1);
    let left = read.last().map(|call| call["assignments_after"].clone()).expect("calls");
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left} is more than the other principal's");
    let set =
        read.iter().find(|call| call["parsed"]["command"] == "functionapp config appsettings set").expect("a secret");
    let reference = "@Microsoft.KeyVault(SecretUri=https://my-scaler-vault.vault.azure.net/secrets/api-key)";
    assert_eq!(set["settings_after"]["INSTANCE_API_KEY"], reference);
    let subject = json!("repo:OWNER@1/NAME@2:environment:my-scaler");
    assert!(
        azure.iter().any(|call| call["arguments"].as_array().is_some_and(|arguments| arguments.contains(&subject)))
    );
}

/// What `az` lists of the principal, in `tests/deploy/azure_cli.py`.
const ASSIGNMENTS: [&str; 2] = [
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/containers-rg/providers/\
     Microsoft.Authorization/roleAssignments/1",
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/messaging-rg/providers/Microsoft.ServiceBus/\
     namespaces/n/topics/t/providers/Microsoft.Authorization/roleAssignments/2",
];

/// The guide's blocks of commands, one after the other, as a reader runs them.
fn commands() -> String {
    let guide = fs::read_to_string(repository().join("docs/deploy.md")).expect("the guide");
    let blocks = guide.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.map(|(block, _)| block).collect()
}
