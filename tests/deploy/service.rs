//! The example of a service's workflow: the settings push reads exactly what it sends, whatever the values contain.

use std::fs;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::settings::AWKWARD;
use crate::stage::{Stage, repository};
use crate::tools::{no_python, write};

#[test]
fn the_image_is_built_pushed_and_named_for_the_next_step() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    let environment =
        [("REGISTRY", "myregistry"), ("REPOSITORY_NAME", "My-Service"), ("COMMIT", "abc"), ("GITHUB_ACTIONS", "true")];
    let ran =
        stage.execute(Command::new("bash").args(["-euo", "pipefail", "-c", &step("Build and push")]), &environment);
    assert!(ran.succeeded, "{ran:?}");
    let image = "myregistry.azurecr.io/my-service:abc";
    assert_eq!(
        stage.command_lines(),
        [
            "acr login --name myregistry --only-show-errors".to_owned(),
            format!("build --tag {image} ."),
            format!("push {image}")
        ]
    );
    assert_eq!(stage.text("output"), format!("name={image}\n"));
}

#[test]
fn what_the_service_sends_is_what_the_scaler_reads() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    let settings: Value = AWKWARD.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let settings = settings.to_string();
    let environment = [
        ("SCALER_REPOSITORY", "owner/scaler"),
        ("FUNCTION_APP_NAME", "my-scaler"),
        ("RESOURCE_GROUP", "my-rg"),
        ("IMAGE", "r.azurecr.io/w:$(touch pwned)\"'"),
        ("SETTINGS", settings.as_str()),
    ];
    let ran = stage
        .execute(Command::new("bash").args(["-euo", "pipefail", "-c", &step("Request the deployment")]), &environment);
    assert!(ran.succeeded, "{ran:?}");
    let arguments = stage.calls().remove(0).arguments;
    assert_eq!(arguments[..4], ["api", "--method", "POST", "repos/owner/scaler/dispatches"]);
    let fields = arguments.iter().filter_map(|argument| argument.split_once('='));
    let payload: Map<_, _> = fields
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("client_payload[")?.strip_suffix(']')?;
            Some((name.to_owned(), Value::from(value)))
        })
        .collect();
    assert_eq!(payload["app_settings_json"], json!(settings));
    assert_eq!(payload["aci_image"], "r.azurecr.io/w:$(touch pwned)\"'");

    let mut payload = Value::from(payload);
    payload["aci_image"] = json!("r.azurecr.io/w:1");
    write(&stage.path("event"), &json!({"client_payload": payload}).to_string());
    let ran = stage.run("read-settings.py", &[]);
    assert!(ran.succeeded && ran.printed.lines().all(|line| line.starts_with("::add-mask::")), "{ran:?}");
    let read: Vec<Value> = serde_json::from_str(&stage.text("settings.json")).expect("JSON for az");
    assert_eq!(read.len(), 1 + AWKWARD.len());
}

/// The commands of one of the example's steps.
fn step(name: &str) -> String {
    let example = fs::read_to_string(repository().join("docs/service-workflow-example.yml")).expect("the example");
    let (_, rest) = example.split_once(&format!("- name: {name}")).expect("the step");
    let (_, block) = rest.split_once("run: |\n").expect("the step's commands");
    let commands = block.lines().take_while(|line| line.starts_with("          ")).map(str::trim_start);
    commands.collect::<Vec<_>>().join("\n")
}
