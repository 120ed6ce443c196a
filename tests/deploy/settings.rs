//! The settings push: what is refused, what reaches Azure, and what never shows.

use serde_json::{Value, json};

use crate::stage::{Ran, Stage};
use crate::tools::no_python;

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
fn the_given_settings_go_to_the_app_and_it_is_restarted() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    let ran = push(&stage, &json!({"app_settings_json": r#"{"INSTANCE_FOO": "bar"}"#}));
    assert!(ran.succeeded, "{}", ran.printed);
    let file = format!("@{}", stage.path("settings.json").display());
    let app = "--name=my-scaler --resource-group=my-rg";
    assert_eq!(
        stage.command_lines(),
        [
            format!("functionapp config appsettings set {app} --settings {file} --only-show-errors --output none"),
            format!("functionapp restart {app} --only-show-errors"),
        ]
    );
    assert_eq!(pushed(&stage), json!({"ACI_IMAGE": "r.azurecr.io/w:1", "INSTANCE_FOO": "bar"}));
    assert_eq!(stage.calls()[0].modes[&file], "0o600", "others on the machine can read the values");
    assert!(!stage.path("settings.json").exists(), "the values stay behind on the machine");
}

#[test]
fn a_push_from_another_repository_is_read_like_one_by_hand() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    let payload = request(&json!({"restart_app": "true"})).to_string();
    for inputs in ["{}", "null", "", r#"{"restart_app": true}"#] {
        let ran = stage.run("read-settings.py", &[("REQUEST_INPUTS", inputs), ("REQUEST_PAYLOAD", &payload)]);
        assert!(ran.succeeded, "{}", ran.printed);
    }
    assert!(stage.text("output").ends_with("function_app_name=my-scaler\nresource_group=my-rg\nrestart_app=true\n"));
}

#[test]
fn awkward_values_reach_azure_as_they_are() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
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
    let stage = Stage::new();
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
        let stage = Stage::new();
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
    refused(&json!({"restart_app": "maybe"}), "the input restart_app is neither true nor false");
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
    let ran = push(&Stage::new(), &json!({"app_setting_json": "{}"}));
    assert!(ran.succeeded && ran.printed.contains(r#"::warning title=Settings push::"app_setting_json""#), "{ran:?}");
}

#[test]
fn without_a_restart_the_app_is_left_running() {
    if no_python() {
        return;
    }
    for no in [json!(false), json!("false"), json!("False")] {
        let stage = Stage::new();
        assert!(push(&stage, &json!({"restart_app": no})).succeeded);
        assert_eq!(stage.calls().len(), 1);
        assert!(!stage.text("summary").contains("Restarted"));
    }
}

#[test]
fn an_app_is_restarted_unless_it_is_said_not_to() {
    if no_python() {
        return;
    }
    for yes in [json!(true), json!("true"), json!("True"), json!(""), json!(null)] {
        let stage = Stage::new();
        assert!(push(&stage, &json!({"restart_app": yes})).succeeded);
        assert!(stage.command_lines()[1].starts_with("functionapp restart "));
    }
}

#[test]
fn an_update_that_fails_is_followed_by_no_restart() {
    if no_python() {
        return;
    }
    let stage = Stage::new().answer("appsettings set", &[json!({"exit": 3})]);
    assert!(!push(&stage, &json!({})).succeeded);
    assert_eq!(stage.calls().len(), 1);
    assert_eq!(stage.text("summary"), "");
    assert!(!stage.path("settings.json").exists());
}

#[test]
fn a_restart_that_fails_does_not_hide_that_the_settings_changed() {
    if no_python() {
        return;
    }
    let stage = Stage::new().answer("functionapp restart", &[json!({"exit": 1})]);
    let ran = push(&stage, &json!({}));
    assert!(!ran.succeeded && ran.printed.contains("restart it by hand"), "{ran:?}");
    assert!(stage.text("summary").contains("The settings are in place, but the restart failed."));
}

#[test]
fn the_summary_lists_names_and_no_value_is_printed() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    let settings = r#"{"INSTANCE_KEY": "canary-one", "B_FLAG": "canary-two\ncanary-three"}"#;
    let ran = push(&stage, &json!({"app_settings_json": settings, "aci_image": "canary/image:1"}));
    let summary = stage.text("summary");
    assert_eq!(
        summary,
        "### Settings of `my-scaler`\n\nChanged:\n\n- `ACI_IMAGE`\n- `INSTANCE_KEY`\n- `B_FLAG`\n\nRestarted.\n"
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

/// Reads a request and, if it is accepted, pushes it, as the workflow's two steps do.
pub fn push(stage: &Stage, changes: &Value) -> Ran {
    let inputs = request(changes).to_string();
    let read = stage.run("read-settings.py", &[("REQUEST_INPUTS", &inputs), ("REQUEST_PAYLOAD", "null")]);
    if !read.succeeded {
        return read;
    }
    let outputs = stage.text("output");
    let output = |name: &str| outputs.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or("");
    let environment = [
        ("FUNCTION_APP_NAME", output("function_app_name")),
        ("RESOURCE_GROUP", output("resource_group")),
        ("RESTART_APP", output("restart_app")),
    ];
    let pushed = stage.run("push-settings.sh", &environment);
    Ran { succeeded: pushed.succeeded, printed: read.printed + &pushed.printed }
}

/// A good request with some of its inputs changed.
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

/// The settings that the only push held.
fn pushed(stage: &Stage) -> Value {
    let files = &stage.recorded()[0]["files"];
    let content = files.as_object().and_then(|files| files.values().next()).and_then(Value::as_str).expect("one file");
    let list: Vec<Value> = serde_json::from_str(content).expect("JSON for az");
    list.iter()
        .map(|setting| (setting["name"].as_str().expect("a name").to_owned(), setting["value"].clone()))
        .collect()
}
