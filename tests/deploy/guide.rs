//! The commands of docs/deploy.md and docs/operate.md: run with stand-ins for `az`, `gh` and `aci-scaler`, and parsed by the real
//! Azure CLI and the real scaler.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use test_support::programs::{check, python};

use crate::azure_cli::read_by_azure_cli;
use crate::code;
use crate::stage::{Stage, repository};
use crate::tools::{AZURE_CLI, no_python, write};

/// Commands of extensions, which the Azure CLI would have to download.
const EXTENSIONS: [&str; 2] = ["monitor app-insights", "monitor scheduled-query"];

#[test]
fn every_command_of_the_guide_is_one_that_the_azure_cli_accepts() {
    if no_python() {
        return;
    }
    let stage = answering();
    let top = run(&stage, "deploy.md");
    let (azure, github): (Vec<_>, Vec<_>) = stage.recorded().into_iter().partition(|call| call["program"] == "az");
    assert!(azure.len() > 20, "{} calls of az", azure.len());
    assert_eq!(github.len(), 5);
    assert_eq!(github[2]["arguments"][8], "00000000-0000-0000-0000-00000000000b");

    let Some(python) = python(&[AZURE_CLI]) else { return };
    let read = read_by_azure_cli(&python, &without_extensions(&azure), &top);
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

#[test]
fn every_command_of_the_page_on_operating_is_one_that_its_program_accepts() {
    if no_python() {
        return;
    }
    let plan =
        json!({"groups": [{"name": "worker-1", "outcome": "active"}, {"name": "worker-2", "outcome": "record"}]});
    // Only one id, because the Azure CLI reads a command about two of them twice.
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerInstance/containerGroups/worker-1";
    let stage = answering()
        .answer("plan --json", &[json!(plan.to_string())])
        .answer("].id", &[json!(id)])
        .answer("container list", &[json!("worker-1\nworker-2")])
        .answer("container show", &[json!(id)])
        .answer("group show", &[json!("/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g")])
        .answer("monitor", &[json!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/x/y")]);
    let top = run(&stage, "operate.md");
    let calls = stage.recorded();
    let of = |program: &str| calls.iter().filter(|call| call["program"] == program).cloned().collect::<Vec<_>>();
    let (azure, github, scaler) = (of("az"), of("gh"), of("aci-scaler"));
    assert!(azure.len() > 25 && github.len() >= 4 && scaler.len() >= 4, "{calls:#?}");

    for call in &scaler {
        let arguments = arguments(call);
        // With --help, the arguments before it are parsed and nothing runs.
        check(Command::new(env!("CARGO_BIN_EXE_aci-scaler")).args(&arguments).arg("--help"));
        assert!(arguments.contains(&"--from-app".to_owned()), "{arguments:?}");
    }
    for call in github.iter().map(arguments).filter(|call| call.starts_with(&["workflow".to_owned(), "run".to_owned()]))
    {
        let workflow = fs::read_to_string(repository().join(".github/workflows").join(&call[2])).expect(&call[2]);
        let values = call.iter().zip(&call[1..]).filter(|(option, _)| *option == "-f").map(|(_, value)| value);
        for value in values {
            let input = value.split('=').next().unwrap_or_default();
            assert!(workflow.contains(&format!("\n      {input}:\n")), "{} has no input {input}", call[2]);
        }
    }
    let retries = scaler.iter().map(arguments).filter(|arguments| arguments[0] == "retry");
    assert_eq!(retries.count(), 2, "of a message, and of a subscription");

    let Some(python) = python(&[AZURE_CLI]) else { return };
    let read = read_by_azure_cli(&python, &without_extensions(&azure), &top);
    assert_eq!(read.len(), without_extensions(&azure).len());
    let after = &read.iter().rfind(|call| call["parsed"]["command"] == "functionapp config appsettings set");
    let after = &after.expect("settings are set")["settings_after"];
    assert_eq!(after["ACI_IMAGE"], "myregistry.azurecr.io/worker:1.4.1");
    assert_eq!(after["AzureWebJobs_ScaleTimer_Disabled"], "true");
}

/// A stage on which Azure and GitHub answer as for a deployed app.
fn answering() -> Stage {
    let id = |kind: &str| json!(format!("/subscriptions/s/resourceGroups/g/providers/{kind}/x"));
    code::loaded()
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
        .answer("account show", &[json!("00000000-0000-0000-0000-00000000000c")])
}

/// The role assignments of the principal that `az` lists in `tests/deploy/azure_cli.py`.
const ASSIGNMENTS: [&str; 2] = [
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/containers-rg/providers/\
     Microsoft.Authorization/roleAssignments/1",
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/messaging-rg/providers/Microsoft.ServiceBus/\
     namespaces/n/topics/t/providers/Microsoft.Authorization/roleAssignments/2",
];

/// Runs a page's commands one after the other, as a reader does, and returns the folder they ran in.
fn run(stage: &Stage, page: &str) -> std::path::PathBuf {
    let top = stage.path("top");
    fs::create_dir(&top).expect("a folder of our own");
    for folder in [".github", "docs"] {
        symlink(repository().join(folder), top.join(folder)).expect("a new name");
    }
    write(&top.join("api-key.txt"), "secret");
    // What `gh release download` would leave here: a scaler that only records its calls.
    symlink(repository().join("tests/deploy/az"), top.join("aci-scaler")).expect("a new name");
    check(Command::new("tar").current_dir(&top).args([
        "--create",
        "--gzip",
        "--file=aci-scaler-1.2.3-x86_64-unknown-linux-musl.tar.gz",
        "--remove-files",
        "aci-scaler",
    ]));
    write(&top.join("page.sh"), &commands(page));
    let ran = stage.execute(Command::new("bash").args(["-euo", "pipefail", "page.sh"]).current_dir(&top), &[]);
    assert!(ran.succeeded, "{}", ran.printed);
    top
}

/// The blocks of commands of a page; some are indented, in a list.
fn commands(page: &str) -> String {
    let page = fs::read_to_string(repository().join("docs").join(page)).expect("a page");
    let mut commands = String::new();
    let mut lines = page.lines();
    while let Some(fence) = lines.find(|line| line.trim_start() == "```sh") {
        let indent = fence.len() - fence.trim_start().len();
        for line in lines.by_ref().take_while(|line| line.trim_start() != "```") {
            commands.extend([line.get(indent..).unwrap_or_default(), "\n"]);
        }
    }
    commands
}

fn arguments(call: &Value) -> Vec<String> {
    serde_json::from_value(call["arguments"].clone()).expect("the stand-in's own JSON")
}

fn without_extensions(calls: &[Value]) -> Vec<Value> {
    let is_core = |call: &&Value| !EXTENSIONS.iter().any(|name| arguments(call).join(" ").starts_with(name));
    calls.iter().filter(is_core).cloned().collect()
}
