//! The code's deployment: the package goes to the app, and the host has to say that the function is loaded.

use serde_json::{Value, json};

use crate::stage::{Ran, Stage};
use crate::tools::no_python;

const APP: &[(&str, &str)] = &[
    ("FUNCTION_APP_NAME", "my-scaler"),
    ("RESOURCE_GROUP", "my-rg"),
    ("POLL_SECONDS", "0"),
    ("DEADLINE_SECONDS", "30"),
];
const ID: &str = "/subscriptions/s/resourceGroups/my-rg/providers/Microsoft.Web/sites/my-scaler";
const FAILURE: &str = "::error title=Deployment failed::ScaleTimer is not loaded on my-scaler: ";
const RUNNING: &str = r#"{"id": "my-scaler", "state": "Running", "version": "4.1052.200.1"}"#;

#[test]
fn the_package_goes_to_the_app_and_its_settings_stay() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    std::fs::write(stage.path("app.zip"), "zip").expect("a folder of our own");
    let package = stage.path("app.zip").to_string_lossy().into_owned();
    let ran = stage.run("deploy-package.sh", &[APP, &[("PACKAGE", &package)]].concat());
    assert!(ran.succeeded, "{ran:?}");
    let expected = format!(
        "functionapp deployment source config-zip --name=my-scaler --resource-group=my-rg --src={package} \
         --only-show-errors --output none"
    );
    assert_eq!(stage.command_lines(), [expected]);
}

#[test]
fn a_deployment_without_a_package_or_with_a_bad_name_touches_nothing() {
    if no_python() {
        return;
    }
    let bad = [
        [("FUNCTION_APP_NAME", "@/etc/passwd"), ("PACKAGE", "host.json")],
        [("FUNCTION_APP_NAME", ""), ("PACKAGE", "host.json")],
        [("RESOURCE_GROUP", "@x"), ("PACKAGE", "host.json")],
        [("RESOURCE_GROUP", ""), ("PACKAGE", "host.json")],
        [("FUNCTION_APP_NAME", "my-scaler"), ("PACKAGE", "/nowhere/app.zip")],
    ];
    for changes in bad {
        let stage = Stage::new();
        let ran = stage.run("deploy-package.sh", &[APP, &changes].concat());
        assert!(!ran.succeeded && ran.printed.starts_with("::error "), "{changes:?}: {ran:?}");
        assert!(stage.calls().is_empty(), "{changes:?}");
    }
}

#[test]
fn a_loaded_function_ends_the_deployment_well() {
    if no_python() {
        return;
    }
    let stage = loaded();
    let ran = check_host(&stage);
    assert!(ran.succeeded, "{ran:?}");
    let ask = |what: &str| {
        format!(
            "rest --method get --url {ID}/hostruntime/admin/{what}?api-version=2024-04-01 --only-show-errors --output json"
        )
    };
    let show = "functionapp show --name=my-scaler --resource-group=my-rg --query id --output tsv --only-show-errors";
    assert_eq!(stage.command_lines(), [show.to_owned(), ask("host/status"), ask("functions/ScaleTimer/status")]);
    assert_eq!(stage.text("summary"), "`ScaleTimer` is loaded on `my-scaler`.\n");
}

#[test]
fn a_host_that_is_still_starting_is_waited_for() {
    if no_python() {
        return;
    }
    let refusal = json!({"exit": 1, "stderr": "Bad Gateway"});
    let starting = [refusal, json!("not JSON"), json!(r#"{"state": "Initialized"}"#), json!(RUNNING)];
    let stage = loaded()
        .answer("host/status", &starting)
        .answer("ScaleTimer/status", &[json!({"exit": 1, "stderr": "Not Found"}), json!(r#"{"errors": []}"#)]);
    let ran = check_host(&stage);
    assert!(ran.succeeded, "{ran:?}");
    let asked = |piece: &str| stage.command_lines().iter().filter(|line| line.contains(piece)).count();
    assert_eq!((asked("host/status"), asked("ScaleTimer/status")), (5, 2));
}

#[test]
fn a_function_that_is_not_loaded_fails_the_deployment_with_the_reason() {
    if no_python() {
        return;
    }
    let host_fails = json!(r#"{"state": "Error", "errors": ["Exceeded http worker restart retry count."]}"#);
    let host_stops = json!(r#"{"state": "Offline"}"#);
    let function_fails = json!(r#"{"errors": ["The 'ScaleTimer' function is in error: bad schedule"]}"#);
    let no_function = json!({"exit": 1, "stderr": "Not Found"});
    let cases = [
        ("host/status", host_fails, "Exceeded http worker restart retry count."),
        ("host/status", host_stops, "the host is Offline"),
        ("host/status", json!({"exit": 1}), "the host does not answer"),
        ("host/status", json!("<html>"), "the answer is not JSON"),
        ("ScaleTimer/status", function_fails, "bad schedule"),
        ("ScaleTimer/status", no_function, "the host has no function ScaleTimer"),
    ];
    for (piece, answer, reason) in cases {
        let stage = loaded().answer(piece, &[answer]);
        let ran = stage.run("check-host.sh", &[APP, &[("DEADLINE_SECONDS", "0")]].concat());
        assert!(!ran.succeeded, "{reason}");
        let said = ran.printed.lines().find_map(|line| line.strip_prefix(FAILURE)).unwrap_or_default();
        assert!(said.contains(reason), "{reason}: {ran:?}");
        assert_eq!(stage.text("summary"), "");
    }
}

#[test]
fn an_app_that_is_not_there_fails_the_deployment() {
    if no_python() {
        return;
    }
    let stage = loaded().answer("functionapp show", &[json!({"exit": 3, "stderr": "ResourceNotFound"})]);
    assert!(!check_host(&stage).succeeded);
    assert_eq!(stage.calls().len(), 1);
}

/// An app whose host has loaded the function.
pub fn loaded() -> Stage {
    Stage::new()
        .answer("functionapp show", &[json!(ID)])
        .answer("host/status", &[json!(RUNNING)])
        .answer("ScaleTimer/status", &[Value::from(r#"{"errors": []}"#)])
}

pub fn check_host(stage: &Stage) -> Ran {
    stage.run("check-host.sh", APP)
}

/// Deploys a package as the workflow's step does.
pub fn deploy(stage: &Stage) -> Ran {
    stage.run("deploy-package.sh", &[APP, &[("PACKAGE", "host.json")]].concat())
}
