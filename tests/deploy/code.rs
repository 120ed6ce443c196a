//! The deployment of code: the package goes to the app, and the host must report that the function is loaded.

use serde_json::{Value, json};

use crate::settings;
use crate::stage::{Ran, Stage};
use crate::tools::no_python;

const APP: &[(&str, &str)] = &[("FUNCTION_APP_NAME", "my-scaler"), ("RESOURCE_GROUP", "my-rg")];
const ID: &str = "/subscriptions/s/resourceGroups/my-rg/providers/Microsoft.Web/sites/my-scaler";
const FAILURE: &str = "::error title=Deployment failed::ScaleTimer is not up on my-scaler: ";
pub const SHOW: &str =
    "functionapp show --name=my-scaler --resource-group=my-rg --query id --output tsv --only-show-errors";
pub const RUNNING: &str = r#"{"id": "my-scaler", "state": "Running", "version": "4.1052.200.1"}"#;

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
fn names_are_held_against_the_same_rules_by_a_push_and_a_deployment() {
    if no_python() {
        return;
    }
    for (group, good) in [("größe-東京_(1).x", true), ("-x", true), ("ends.", false), ("a b", false), ("a\nb", false)]
    {
        let pushed = settings::push(&settings::app(), &json!({"resource_group": group}));
        let quick = [("RESOURCE_GROUP", group), ("LOOKS", "1")];
        let checked = loaded().run("check-host.sh", &[APP, &quick].concat());
        assert_eq!((pushed.succeeded, checked.succeeded), (good, good), "{group}: {pushed:?} {checked:?}");
    }
}

#[test]
fn a_function_that_stays_loaded_ends_the_deployment_well() {
    if no_python() {
        return;
    }
    let stage = loaded();
    let ran = check_host(&stage);
    assert!(ran.succeeded, "{ran:?}");
    assert_eq!(stage.command_lines(), watch(4));
    assert_eq!(stage.waited(), 30);
    assert_eq!(stage.text("summary"), "`ScaleTimer` is loaded and enabled on `my-scaler`, and stays up.\n");
}

#[test]
fn a_host_that_is_still_starting_is_waited_for() {
    if no_python() {
        return;
    }
    let refusal = json!({"exit": 1, "stderr": "Bad Gateway"});
    let not_found = json!({"exit": 1, "stderr": "Not Found"});
    let starting = [refusal, json!("not JSON"), json!(r#"{"state": "Initialized"}"#), json!(RUNNING)];
    let stage = loaded()
        .answer("host/status", &starting)
        .answer("ScaleTimer/status", &[vec![not_found; 3], vec![json!(r#"{"errors": []}"#)]].concat());
    let ran = check_host(&stage);
    assert!(ran.succeeded, "{ran:?}");
    let asked = |piece: &str| stage.command_lines().iter().filter(|line| line.contains(piece)).count();
    assert_eq!((asked("host/status"), asked("ScaleTimer/status")), (4 + 4, 3 + 4));
    for reason in
        ["the host does not answer", "the answer is not JSON", "the host is Initialized", "the host has no function"]
    {
        assert!(ran.printed.contains(&format!("Waiting: {reason}")), "{reason}: {ran:?}");
    }
}

#[test]
fn a_host_that_runs_between_two_crashes_is_not_up() {
    if no_python() {
        return;
    }
    let (up, down) = (json!(RUNNING), json!({"exit": 1, "stderr": "Bad Gateway"}));
    let crashes = vec![up.clone(), up.clone(), up, down];
    let stage = loaded().answer("host/status", &crashes);
    let ran = stage.run("check-host.sh", &[APP, &[("DEADLINE_SECONDS", "0")]].concat());
    assert!(!ran.succeeded && ran.printed.contains("the host does not answer"), "{ran:?}");
}

#[test]
fn a_host_that_started_anew_between_two_looks_is_watched_from_the_start() {
    if no_python() {
        return;
    }
    // Checked at 0, 10, 20 and 30 s; it crashes after the second check.
    let answers = [process("a", 60), process("a", 70), process("a", 2), process("a", 12)].map(Value::from);
    let looks = [answers.as_slice(), &[process("a", 22), process("a", 32), process("a", 42)].map(Value::from)].concat();
    let stage = loaded().answer("host/status", &looks);
    let ran = check_host(&stage);
    assert!(ran.succeeded && ran.printed.contains("Waiting: the host has restarted"), "{ran:?}");
    assert_eq!(stage.waited(), 30 + 30);
}

#[test]
fn two_instances_that_answer_in_turns_are_no_crash() {
    if no_python() {
        return;
    }
    let looks = [process("a", 3600), process("b", 70), process("a", 3620), process("b", 90)].map(Value::from);
    let stage = loaded().answer("host/status", &looks);
    assert!(check_host(&stage).succeeded);
    assert_eq!(stage.waited(), 30);
}

#[test]
fn the_process_from_before_a_change_does_not_count() {
    if no_python() {
        return;
    }
    for new in [process("a", 1), process("b", 500)] {
        // Checked before the push, and 0, 10 and 20 s after it.
        let looks = [process("a", 60), process("a", 60), process("a", 70), new].map(Value::from);
        let looks = [looks.as_slice(), &[json!(RUNNING)]].concat();
        let stage = settings::app().answer("host/status", &looks);
        let ran = settings::push_with(&stage, &json!({}), &[]);
        assert!(ran.succeeded, "{ran:?}");
        assert_eq!(ran.printed.matches("Waiting: the host has not restarted yet").count(), 2, "{ran:?}");
        assert_eq!(stage.waited(), 20 + 30);
    }
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
        ("ScaleTimer/status", no_function.clone(), "the host has no function ScaleTimer"),
        ("functions/ScaleTimer?", no_function, "the host has no function ScaleTimer"),
        ("functions/ScaleTimer?", json!(r#"{"name": "ScaleTimer", "isDisabled": true}"#), "it is disabled"),
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
        .answer("functions/ScaleTimer?", &[Value::from(r#"{"name": "ScaleTimer", "isDisabled": false}"#)])
}

/// The answer of a host that has run in an instance for this many seconds.
pub fn process(instance: &str, seconds: u64) -> String {
    json!({"state": "Running", "instanceId": instance, "processUptime": seconds * 1000}).to_string()
}

/// The command lines of this many checks of the host, and of what precedes them.
pub fn watch(looks: usize) -> Vec<String> {
    let look = ["host/status", "functions/ScaleTimer/status", "functions/ScaleTimer"].map(ask);
    [SHOW.to_owned()].into_iter().chain((0..looks).flat_map(|_| look.clone())).collect()
}

/// The command line of a request to the host.
pub fn ask(what: &str) -> String {
    format!(
        "rest --method get --url {ID}/hostruntime/admin/{what}?api-version=2024-04-01 --only-show-errors --output json"
    )
}

pub fn check_host(stage: &Stage) -> Ran {
    stage.run("check-host.sh", APP)
}

/// Deploys a package as the workflow's step does.
pub fn deploy(stage: &Stage) -> Ran {
    stage.run("deploy-package.sh", &[APP, &[("PACKAGE", "host.json")]].concat())
}
