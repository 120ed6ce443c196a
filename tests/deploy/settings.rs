//! The settings push: what it refuses, what reaches Azure, and what it never shows.

use std::process::Command;

use serde_json::{Value, json};
use test_support::programs::check;

use crate::code;
use crate::stage::{Ran, Stage, repository};
use crate::tools::{no_python, write};

/// Values that quoting, expansion or a second parser would damage.
pub const AWKWARD: &[(&str, &str)] = &[
    ("INSTANCE_SPACES", "  two  spaces  "),
    ("INSTANCE_QUOTES", r#"it's "quoted" `here`"#),
    ("INSTANCE_LINES", "first\nsecond\r\n\tthird\n"),
    ("INSTANCE_EQUALS", "a=b=c;d=="),
    ("INSTANCE_DOLLAR", "$HOME ${PATH} $(touch pwned) %PATH% $$ \\$"),
    ("INSTANCE_JSON", r#"{"a": ["b", {"c": "d\"e"}]}"#),
    ("INSTANCE_LIST", r#"[{"name": "ACI_IMAGE", "value": "other"}]"#),
    ("INSTANCE_EMOJI", "grüße 👩‍🚀 ﷽"),
    ("INSTANCE_FILE", "@/etc/passwd"),
    ("INSTANCE_OPTION", "--slot=other"),
    ("INSTANCE_COMMAND", "::set-output name=x::y"),
    ("INSTANCE_EMPTY", ""),
    ("INSTANCE_BACKSLASH", r"C:\new\table \u0041"),
];

#[test]
fn the_given_settings_go_to_the_app_and_the_host_is_watched_for_half_a_minute() {
    if no_python() {
        return;
    }
    let stage = app();
    let ran = push_with(&stage, &json!({"app_settings_json": r#"{"INSTANCE_FOO": "bar"}"#}), &[]);
    assert!(ran.succeeded, "{}", ran.printed);
    let file = format!("@{}", stage.path("settings.json").display());
    let app = "--name=my-scaler --resource-group=my-rg";
    let change = [
        format!("functionapp config appsettings list {app} --only-show-errors --output json"),
        code::SHOW.to_owned(),
        code::ask("host/status"),
        format!("functionapp config appsettings set {app} --settings {file} --only-show-errors --output none"),
    ];
    assert_eq!(stage.command_lines(), [change.as_slice(), &code::watch(4)].concat());
    assert_eq!(stage.waited(), 30);
    assert_eq!(pushed(&stage), json!({"ACI_IMAGE": "r.azurecr.io/w:1", "INSTANCE_FOO": "bar"}));
    let set = stage.calls().remove(3);
    assert_eq!(set.modes[&file], "0o600", "others on the machine can read the values");
    assert!(!stage.path("settings.json").exists(), "the new values stay behind on the machine");
    assert!(!stage.path("before-push").exists(), "the old values stay behind on the machine");
}

#[test]
fn whatever_settings_are_given_nothing_is_forged_shown_or_left_out_in_silence() {
    if no_python() {
        return;
    }
    let script = repository().join("tests/deploy/properties.py");
    let printed = check(Command::new("python3").arg(script).args(["1", "5000"]));
    assert!(printed.contains("5000 cases hold"), "{printed}");
}

#[test]
fn a_request_is_the_same_whichever_way_it_comes() {
    if no_python() {
        return;
    }
    let request = request(&json!({"restart_app": "false", "app_settings_json": r#"{"A": "b"}"#}));
    let mut called = request.clone();
    let settings = called.as_object_mut().and_then(|called| called.remove("app_settings_json")).expect("settings");
    let called = called.to_string();
    let dispatched = json!({"action": "service-deploy", "client_payload": request});
    // The caller was dispatched too, and its inputs have the same names as ours.
    let callers = json!({"inputs": {"function_app_name": "other", "app_settings_json": "{\"A\": \"other\"}"}});
    let call = [("CALL_INPUTS", called.as_str()), ("CALL_SETTINGS", settings.as_str().expect("text"))];
    for (event, environment) in [
        (json!({"inputs": request, "ref": "refs/heads/main"}), [("CALL_INPUTS", ""), ("CALL_SETTINGS", "")]),
        (dispatched, [("CALL_INPUTS", ""), ("CALL_SETTINGS", "a secret of the same name")]),
        (callers, call),
    ] {
        let stage = Stage::new();
        write(&stage.path("event"), &event.to_string());
        let ran = stage.run("read-settings.py", &environment);
        assert!(ran.succeeded, "{}", ran.printed);
        assert_eq!(
            stage.text("output"),
            "function_app_name=my-scaler\nresource_group=my-rg\nrestart_app=false\nrollback_on_failure=true\n"
        );
        let read: Value = serde_json::from_str(&stage.text("settings.json")).expect("JSON for az");
        assert_eq!(read[1], json!({"name": "A", "value": "b"}));
    }
}

#[test]
fn settings_may_be_an_object_as_well_as_its_text() {
    if no_python() {
        return;
    }
    let stage = app();
    let ran = push(&stage, &json!({"app_settings_json": {"A": true, "B": 1.5, "C": "d"}}));
    assert!(ran.succeeded, "{}", ran.printed);
    assert_eq!(pushed(&stage), json!({"ACI_IMAGE": "r.azurecr.io/w:1", "A": "true", "B": "1.5", "C": "d"}));
}

#[test]
fn awkward_values_reach_azure_as_they_are() {
    if no_python() {
        return;
    }
    let stage = app();
    let settings: Value = AWKWARD.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let ran = push(&stage, &json!({"app_settings_json": settings.to_string()}));
    assert!(ran.succeeded, "{}", ran.printed);
    let after = pushed(&stage);
    for (name, value) in AWKWARD {
        assert_eq!(after[name], *value, "{name}");
    }
}

#[test]
fn numbers_and_flags_become_text_as_they_were_written() {
    if no_python() {
        return;
    }
    let stage = app();
    let settings = r#"{"A": 8, "B": 1.50, "C": true, "D": false, "E": 12345678901234567890123, "F": 1e3}"#;
    assert!(push(&stage, &json!({"app_settings_json": settings})).succeeded);
    let expected = json!({"ACI_IMAGE": "r.azurecr.io/w:1", "A": "8", "B": "1.50", "C": "true", "D": "false",
        "E": "12345678901234567890123", "F": "1e3"});
    assert_eq!(pushed(&stage), expected);
}

#[test]
fn without_further_settings_only_the_image_changes() {
    if no_python() {
        return;
    }
    for nothing in [json!({}), json!({"app_settings_json": ""}), json!({"app_settings_json": "{}"})] {
        let stage = app();
        assert!(push(&stage, &nothing).succeeded);
        assert_eq!(pushed(&stage), json!({"ACI_IMAGE": "r.azurecr.io/w:1"}));
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_changes() {
    if no_python() {
        return;
    }
    let bad_settings = [
        ("{", "not JSON"),
        ("{'A': 'b'}", "not JSON"),
        (r#"{"A": NaN}"#, "not JSON"),
        (r#"["A"]"#, "not an object"),
        (r#""A""#, "not an object"),
        ("null", "not an object"),
        (r#"{"A": {"b": "c"}}"#, r#""A" has a nested value"#),
        (r#"{"A": ["b"]}"#, r#""A" has a nested value"#),
        (r#"{"A": {}}"#, r#""A" has a nested value"#),
        (r#"{"A": null}"#, r#""A" is null"#),
        (r#"{"A B": "c"}"#, r#""A B" is a bad name"#),
        (r#"{"A-B": "c"}"#, r#""A-B" is a bad name"#),
        (r#"{"1A": "c"}"#, r#""1A" is a bad name"#),
        (r#"{"": "c"}"#, r#""" is a bad name"#),
        (r#"{"A\n::warning::B": "c"}"#, "is a bad name"),
        (r#"{"ÄÖ": "c"}"#, "is a bad name"),
        (r#"{"A": "b", "a": "c"}"#, r#""a" is there twice"#),
        (r#"{"A": "b", "A": "c"}"#, r#""A" is there twice"#),
        (r#"{"aci_image": "other"}"#, "is given by the input aci_image"),
        (r#"{"A": "b\u0000"}"#, "no environment variable can hold"),
        (r#"{"A": "\ud800"}"#, "no environment variable can hold"),
        (r#"{"A": "a-long-value-with-\udc00"}"#, "no environment variable can hold"),
    ];
    for (settings, reason) in bad_settings {
        refused(&json!({"app_settings_json": settings}), reason);
    }
    for name in ["function_app_name", "resource_group", "aci_image"] {
        refused(&json!({name: ""}), &format!("the input {name} is missing"));
        refused(&json!({name: null}), &format!("the input {name} is missing"));
        refused(&json!({name: ["x"]}), &format!("the input {name} is not "));
    }
    for name in ["@/etc/passwd", "-x", "a b", "a;b", "a\nb", "$(touch pwned)", "x", &"a".repeat(61)] {
        refused(&json!({"function_app_name": name}), "the input function_app_name is not");
    }
    for name in ["@/etc/passwd", "a b", "a;b", "a\nb=c", "ends.", &"a".repeat(91)] {
        refused(&json!({"resource_group": name}), "the input resource_group is not");
    }
    refused(&json!({"aci_image": "an image"}), "the input aci_image is not");
    refused(&json!({"aci_image": "r.azurecr.io/w:\u{0}"}), "the input aci_image is not");
    for flag in ["restart_app", "rollback_on_failure"] {
        refused(&json!({flag: "maybe"}), &format!("the input {flag} is neither true nor false"));
    }
}

#[test]
fn a_push_cannot_steer_the_host_or_where_tokens_go() {
    if no_python() {
        return;
    }
    for name in [
        "AzureWebJobsStorage",
        "azurewebjobsstorage__accountName",
        "AzureWebJobs_ScaleTimer_Disabled",
        "AzureFunctionsJobHost__customHandler__description__defaultExecutablePath",
        "FUNCTIONS_WORKER_RUNTIME",
        "WEBSITE_RUN_FROM_PACKAGE",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "IDENTITY_ENDPOINT",
        "identity_header",
        "MSI_ENDPOINT",
        "HTTPS_PROXY",
        "no_proxy",
        "LD_PRELOAD",
        "PATH",
        "path",
        "Home",
        "AZURE_RESOURCE_MANAGER_ENDPOINT",
        "Azure_Resource_Manager_Endpoint",
        "AZURE_AUTHORITY_HOST",
        "SSL_CERT_FILE",
        "DOTNET_STARTUP_HOOKS",
    ] {
        refused(&json!({"app_settings_json": {name: "x"}}), &format!("\"{name}\" is reserved"));
    }
    let stage = app();
    let ours = json!({"INSTANCE_HTTP_PROXY": "p", "INSTANCE_PATH": "p", "HOMEPAGE": "h", "AZURE_CLIENT_ID": "c"});
    let ran = push(&stage, &json!({"app_settings_json": ours}));
    assert!(ran.succeeded, "{}", ran.printed);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    if no_python() {
        return;
    }
    let all = json!({"function_app_name": "", "resource_group": "", "aci_image": "", "restart_app": "x",
        "app_settings_json": r#"{"A B": "c", "D": null}"#});
    let ran = push(&Stage::new(), &all);
    assert_eq!(ran.printed.matches("::error ").count(), 6, "{}", ran.printed);
}

#[test]
fn a_misspelt_input_is_pointed_out() {
    if no_python() {
        return;
    }
    let ran = push(&app(), &json!({"app_setting_json": "{}"}));
    assert!(ran.succeeded && ran.printed.contains(r#"::warning title=Settings push::"app_setting_json""#), "{ran:?}");
}

#[test]
fn azure_restarts_an_app_that_changes_so_it_is_not_restarted_again() {
    if no_python() {
        return;
    }
    for restart in [json!(true), json!("true"), json!("True"), json!(""), json!(null), json!(false), json!("False")] {
        let stage = app();
        assert!(push(&stage, &json!({"restart_app": restart})).succeeded);
        assert_eq!(count(&stage, "appsettings set"), 1);
        assert_eq!(count(&stage, "functionapp restart"), 0, "{restart}");
        assert!(stage.text("summary").contains("whereupon Azure restarts the app"));
    }
}

#[test]
fn an_app_that_has_the_settings_already_is_restarted_only_if_that_is_wanted() {
    if no_python() {
        return;
    }
    let has = json!([{"name": "ACI_IMAGE", "value": "r.azurecr.io/w:1", "slotSetting": false}]).to_string();
    for (restart, restarts) in [(json!("true"), 1), (json!(null), 1), (json!("false"), 0), (json!(false), 0)] {
        let stage = app().answer("appsettings list", &[json!(has)]);
        let ran = push(&stage, &json!({"restart_app": restart}));
        assert!(ran.succeeded, "{ran:?}");
        assert_eq!((count(&stage, "appsettings set"), count(&stage, "functionapp restart")), (0, restarts));
        assert_eq!(count(&stage, "ScaleTimer/status"), 1, "that the app is well is seen, not taken for granted");
        let summary = stage.text("summary");
        assert!(summary.contains("The app has these settings already."), "{summary}");
        assert_eq!(summary.contains("Restarted."), restarts == 1);
    }
}

#[test]
fn an_update_that_fails_says_how_to_undo_what_it_may_have_done() {
    if no_python() {
        return;
    }
    let stage = app().answer("appsettings set", &[json!({"exit": 3})]);
    let ran = push(&stage, &json!({}));
    assert!(!ran.succeeded && ran.printed.contains("restore-settings.sh"), "{ran:?}");
    assert!(stage.command_lines().last().is_some_and(|line| line.contains("appsettings set")), "{ran:?}");
    assert!(!stage.text("summary").contains("Changed"));
    assert!(!stage.path("settings.json").exists());
}

#[test]
fn settings_that_cannot_be_read_are_not_changed() {
    if no_python() {
        return;
    }
    for answer in [json!({"exit": 1}), json!("<html>")] {
        let stage = app().answer("appsettings list", &[answer]);
        assert!(!push(&stage, &json!({})).succeeded);
        assert_eq!(stage.calls().len(), 1);
    }
}

#[test]
fn a_name_that_is_there_in_another_case_is_pointed_out_before_anything_changes() {
    if no_python() {
        return;
    }
    let stage = app();
    let ran = push(&stage, &json!({"app_settings_json": {"kept": "x"}}));
    assert!(!ran.succeeded && ran.printed.contains("kept is there as KEPT"), "{ran:?}");
    assert_eq!(stage.calls().len(), 1);
}

#[test]
fn a_restart_that_fails_fails_the_run() {
    if no_python() {
        return;
    }
    let has = json!([{"name": "ACI_IMAGE", "value": "r.azurecr.io/w:1"}]).to_string();
    let stage = app().answer("appsettings list", &[json!(has)]).answer("functionapp restart", &[json!({"exit": 1})]);
    let ran = push(&stage, &json!({}));
    assert!(!ran.succeeded && ran.printed.contains("Restart my-scaler by hand"), "{ran:?}");
}

#[test]
fn the_summary_lists_names_and_no_value_is_printed() {
    if no_python() {
        return;
    }
    let stage = app();
    let settings = r#"{"INSTANCE_KEY": "canary-one", "B_FLAG": "canary-two\ncanary-three", "KEPT": "as it is"}"#;
    let ran = push(&stage, &json!({"app_settings_json": settings, "aci_image": "canary/image:1"}));
    assert!(ran.succeeded, "{ran:?}");
    assert_eq!(
        stage.text("summary"),
        "### Settings of `my-scaler`\n\nChanged, whereupon Azure restarts the app:\n\n- `ACI_IMAGE`\n- `INSTANCE_KEY`\n\
         - `B_FLAG`\n\n`ScaleTimer` is loaded and enabled on `my-scaler`, and stays up.\n"
    );
    assert!(!ran.printed.contains("canary") && !stage.text("output").contains("canary"), "{ran:?}");
}

#[test]
fn a_refusal_prints_no_value() {
    if no_python() {
        return;
    }
    for settings in [r#"{"A": "canary", "B C": "canary"}"#, r#"{"A": "canary" "B": "canary"}"#, r#""canary""#] {
        let ran = push(&Stage::new(), &json!({"app_settings_json": settings}));
        assert!(!ran.succeeded && !ran.printed.contains("canary"), "{ran:?}");
    }
}

/// An app with two settings and a healthy host.
pub fn app() -> Stage {
    let settings = json!([
        {"name": "KEPT", "value": "as it is", "slotSetting": false},
        {"name": "ACI_IMAGE", "value": "old", "slotSetting": false},
    ]);
    code::loaded().answer("appsettings list", &[json!(settings.to_string())])
}

/// Pushes, and checks the host only once to save time.
pub fn push(stage: &Stage, changes: &Value) -> Ran {
    push_with(stage, changes, &[("LOOKS", "1")])
}

/// Parses a request and, if it is accepted, pushes it, as the workflow's two steps do. `more` is added to the workflow's
/// environment.
pub fn push_with(stage: &Stage, changes: &Value, more: &[(&str, &str)]) -> Ran {
    write(&stage.path("event"), &json!({"inputs": request(changes)}).to_string());
    let mut read = stage.run("read-settings.py", &[]);
    // The runner consumes these lines.
    read.printed = read
        .printed
        .lines()
        .filter(|line| !line.starts_with("::add-mask::"))
        .fold(String::new(), |all, line| all + line + "\n");
    if !read.succeeded {
        return read;
    }
    let outputs = stage.text("output");
    let output = |name: &str| outputs.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or("");
    let environment = [
        ("FUNCTION_APP_NAME", output("function_app_name")),
        ("RESOURCE_GROUP", output("resource_group")),
        ("RESTART_APP", output("restart_app")),
        ("ROLLBACK_ON_FAILURE", output("rollback_on_failure")),
    ];
    let pushed = stage.run("push-settings.sh", &[&environment, more].concat());
    Ran { succeeded: pushed.succeeded, printed: read.printed + &pushed.printed }
}

/// How many command lines contain a text.
pub fn count(stage: &Stage, piece: &str) -> usize {
    stage.command_lines().iter().filter(|line| line.contains(piece)).count()
}

/// A valid request with some of its inputs changed.
fn request(changes: &Value) -> Value {
    let mut request =
        json!({"function_app_name": "my-scaler", "resource_group": "my-rg", "aci_image": "r.azurecr.io/w:1"});
    for (name, value) in changes.as_object().expect("inputs by name") {
        request[name] = value.clone();
    }
    request
}

fn refused(changes: &Value, reason: &str) {
    let stage = Stage::new();
    let ran = push(&stage, changes);
    assert!(!ran.succeeded, "{changes} was accepted");
    assert!(ran.printed.contains(reason), "{changes}: {reason:?} is not in {:?}", ran.printed);
    assert!(ran.printed.lines().all(|line| line.starts_with("::error ")), "{}", ran.printed);
    assert!(stage.calls().is_empty(), "{changes} reached Azure");
    assert_eq!(stage.text("output"), "", "{changes}");
}

/// The settings of the only push.
fn pushed(stage: &Stage) -> Value {
    let recorded = stage.recorded();
    let files = recorded.iter().find_map(|call| call["files"].as_object().filter(|files| !files.is_empty()));
    let content = files.and_then(|files| files.values().next()).and_then(Value::as_str).expect("one file");
    let list: Vec<Value> = serde_json::from_str(content).expect("JSON for az");
    list.iter()
        .map(|setting| (setting["name"].as_str().expect("a name").to_owned(), setting["value"].clone()))
        .collect()
}
