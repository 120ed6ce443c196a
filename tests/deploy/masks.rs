//! How the values of a settings push stay out of the run's log.

use serde_json::{Value, json};

use crate::stage::{Ran, Stage, repository};
use crate::tools::{no_python, write};

#[test]
fn values_are_masked_in_every_form_that_a_program_may_print() {
    if no_python() {
        return;
    }
    let settings = json!({"A": "pass\"word\nline two", "B": "on", "C": "half \u{fffd}"}).to_string();
    let settings = settings.replace('\u{fffd}', "\\ud800 a character");
    let masks = masks(&json!({"client_payload": {"app_settings_json": settings}}));
    for form in [r#"pass"word"#, "line two", r#"pass\"word\nline two"#, " a character", &settings] {
        assert!(masks.iter().any(|mask| mask == form), "{form} is not among {masks:?}");
    }
    assert!(masks.iter().all(|mask| mask != "on"), "masking it would blank out ordinary words");
}

#[test]
fn values_are_masked_whatever_a_payload_looks_like() {
    if no_python() {
        return;
    }
    for payload in [
        json!({"app_setting_json": r#"{"A": "canary-1"}"#}),
        json!({"app_settings_json": {"A": "canary-1"}}),
        json!({"app_settings_json": {"A": {"b": ["canary-1"]}}}),
        json!({"app_settings_json": r#"{"A": "{\"b\": \"canary-1\"}"}"#}),
        json!({"app_settings_json": "[\"canary-1\""}),
        json!({"settings": [{"name": "A", "value": "canary-1"}]}),
        json!({"A": "canary-1"}),
    ] {
        let masks = masks(&json!({"client_payload": payload}));
        assert!(masks.iter().any(|mask| mask.contains("canary-1")), "{payload}: {masks:?}");
    }
    let masks = masks(&json!({"client_payload": {"function_app_name": "my-scaler", "aci_image": "r.azurecr.io/w:1"}}));
    assert!(masks.is_empty(), "{masks:?} is what the log is about");
}

#[test]
fn nothing_of_a_payload_is_printed_but_as_a_mask() {
    if no_python() {
        return;
    }
    for payload in [
        json!({"app_setting_json": {"A": "can", "B": ["can"]}}),
        json!({"app_settings_json": {"A": {"b": "can"}, "C": ["can"], "D": "can"}}),
        json!({"app_settings_json": r#"{"A": "can" "can"}"#, "function_app_name": "@can", "restart_app": "can"}),
        json!({"app_settings_json": ["can"], "aci_image": {"can": "can"}, "resource_group": ["can"]}),
    ] {
        let ran = read(&json!({"client_payload": payload}));
        let shown: Vec<_> = ran.printed.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
        assert!(shown.iter().all(|line| !line.contains("can")), "{payload}: {shown:?}");
    }
}

#[test]
fn an_event_without_settings_has_nothing_to_mask() {
    if no_python() {
        return;
    }
    for event in [json!({}), json!({"inputs": null}), json!({"client_payload": {"app_settings_json": 5}})] {
        assert!(masks(&event).is_empty(), "{event}");
    }
}

#[test]
fn an_event_that_is_no_request_is_refused_in_words() {
    if no_python() {
        return;
    }
    for event in [json!({"client_payload": ["x"]}), json!({"client_payload": "x"}), json!({"inputs": 5})] {
        let ran = read(&event);
        let refusal = "::error title=Settings not pushed::the payload is not an object of names and values\n";
        assert!(!ran.succeeded && ran.printed == refusal, "{event}: {ran:?}");
    }
    let deep = format!("{{\"client_payload\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let stage = Stage::new();
    write(&stage.path("event"), &deep);
    let ran = stage.run("read-settings.py", &[]);
    assert!(!ran.succeeded && ran.printed.contains("the event cannot be read"), "{ran:?}");
}

/// The runner prints a step's `env:`, and every process on the machine can read arguments.
#[test]
fn no_workflow_puts_a_payload_or_settings_where_the_runner_prints_them() {
    let workflow =
        std::fs::read_to_string(repository().join(".github/workflows/deploy-scaler.yml")).expect("a workflow");
    for line in workflow.lines().filter(|line| line.contains("${{") && !line.trim_start().starts_with('#')) {
        let (key, value) = line.split_once(':').expect("a key");
        let names_the_app = ["group", "environment"].contains(&key.trim());
        assert!(!value.contains("client_payload") || names_the_app, "{line}");
        assert!(!value.contains("github.event ") && !value.contains("toJSON(github"), "{line}");
        if value.contains("inputs") && !names_the_app {
            assert!(key.trim() == "CALL_INPUTS" && value.contains("workflow_ref) != github.workflow_ref &&"), "{line}");
        }
    }
    let (_, call) = workflow.split_once("  workflow_call:\n").expect("it can be called");
    let (inputs, secrets) = call.split_once("    secrets:\n").expect("it takes secrets");
    assert!(!inputs.contains("app_settings_json:") && secrets.contains("      app_settings_json:\n"));
}

fn masks(event: &Value) -> Vec<String> {
    let printed = read(event).printed;
    printed.lines().filter_map(|line| line.strip_prefix("::add-mask::")).map(str::to_owned).collect()
}

fn read(event: &Value) -> Ran {
    let stage = Stage::new();
    write(&stage.path("event"), &event.to_string());
    stage.run("read-settings.py", &[])
}
