//! A settings push that the scaler does not survive: the run fails, shows the scaler's own message, and restores the old
//! settings.

use std::process::Command;

use serde_json::{Value, json};

use crate::code::{RUNNING, process};
use crate::settings::{app, count, push, push_with};
use crate::stage::{Ran, Stage, repository};
use crate::tools::no_python;

const BAD: &str = r#"{"PROVISIONING_MAX_WORKERS": "lots", "KEPT": "changed"}"#;
const APP_INSIGHTS: &str = "InstrumentationKey=00000000-0000-0000-0000-00000000000c;ApplicationId=\
                            00000000-0000-0000-0000-00000000000d";

#[test]
fn a_push_that_the_scaler_refuses_fails_with_its_words_and_is_undone() {
    if no_python() {
        return;
    }
    let stage = crashing(&refusal_of_the_scaler());
    let ran = push_with(&stage, &json!({"app_settings_json": BAD}), &[("DEADLINE_SECONDS", "80")]);
    assert!(!ran.succeeded, "{ran:?}");
    assert!(
        ran.printed.contains("::error title=The scaler's log::")
            && ran.printed.contains("PROVISIONING_MAX_WORKERS=\"lots\""),
        "{ran:?}"
    );
    let set = written(&stage, "appsettings set");
    assert_eq!(set.len(), 2);
    assert_eq!(set[1], json!([{"name": "ACI_IMAGE", "value": "old"}, {"name": "KEPT", "value": "as it is"}]));
    let delete = "functionapp config appsettings delete --name=my-scaler --resource-group=my-rg --setting-names \
                  PROVISIONING_MAX_WORKERS --only-show-errors --output none";
    assert_eq!(count(&stage, delete), 1);
    assert_eq!(count(&stage, "functionapp restart"), 0);
    let summary = stage.text("summary");
    assert!(summary.contains("did not come up, or did not stay up.\n\nThe old values are back.\n"), "{summary}");
    assert!(summary.ends_with("`ScaleTimer` is loaded and enabled on `my-scaler`, and stays up.\n"), "{summary}");
    assert!(!summary.contains("lots") && !stage.path("before-push").exists() && !stage.path("settings.json").exists());
}

#[test]
fn a_push_that_is_not_to_be_undone_leaves_one_command_that_undoes_it() {
    if no_python() {
        return;
    }
    let stage = crashing(&[]);
    let request = json!({"app_settings_json": BAD, "rollback_on_failure": "false", "resource_group": "größe_(1)"});
    let ran = push_with(&stage, &request, &[("DEADLINE_SECONDS", "0")]);
    assert!(!ran.succeeded && count(&stage, "appsettings set") == 1, "{ran:?}");
    assert!(!ran.printed.contains("as it is") && !stage.text("summary").contains("as it is"), "{ran:?}");
    assert_eq!(mode(&stage, "before-push"), 0o700);
    assert_eq!(mode(&stage, "before-push/old.json"), 0o600);

    let (_, command) = ran.printed.split_once("::error title=Put the old values back::").expect("the command");
    let command = command.lines().next().and_then(|line| line.split_once(": ")).expect("after a colon").1;
    let undone = stage.execute(Command::new("bash").args(["-c", command]).current_dir(repository()), &[]);
    assert!(undone.succeeded, "{command}: {undone:?}");
    let expected = json!([{"name": "ACI_IMAGE", "value": "old"}, {"name": "KEPT", "value": "as it is"}]);
    assert_eq!(written(&stage, "appsettings set")[1], expected);
    assert_eq!(count(&stage, "appsettings delete --name=my-scaler --resource-group=größe_(1) "), 1);
    assert!(undone.printed.contains("ACI_IMAGE PROVISIONING_MAX_WORKERS KEPT") && !undone.printed.contains("as it is"));
    assert!(!stage.path("before-push").exists());
}

#[test]
fn old_values_that_cannot_be_put_back_are_kept_with_the_command_that_does() {
    if no_python() {
        return;
    }
    let stage = crashing(&[]).answer("appsettings set", &[json!(""), json!({"exit": 1})]);
    let ran = push_with(&stage, &json!({}), &[("DEADLINE_SECONDS", "0")]);
    assert!(!ran.succeeded && ran.printed.contains("::error title=Put the old values back::"), "{ran:?}");
    assert!(stage.path("before-push/old.json").exists());
}

#[test]
fn what_only_one_of_two_commands_has_to_undo_takes_one() {
    if no_python() {
        return;
    }
    let stage = crashing(&[]);
    assert!(!push_with(&stage, &json!({}), &[("DEADLINE_SECONDS", "0")]).succeeded);
    assert_eq!((count(&stage, "appsettings set"), count(&stage, "appsettings delete")), (2, 0));
    let stage = crashing(&[]);
    let only_new = json!({"aci_image": "old", "app_settings_json": {"INSTANCE_NEW": "x"}});
    assert!(!push_with(&stage, &only_new, &[("DEADLINE_SECONDS", "0")]).succeeded);
    assert_eq!((count(&stage, "appsettings set"), count(&stage, "appsettings delete")), (1, 1));
}

#[test]
fn an_app_that_is_not_up_with_its_old_values_either_is_said_so() {
    if no_python() {
        return;
    }
    let stage = app().answer("host/status", &[json!({"exit": 1})]);
    let ran = push_with(&stage, &json!({}), &[("DEADLINE_SECONDS", "0"), ("LOG_POLLS", "1")]);
    assert!(!ran.succeeded, "{ran:?}");
    assert!(stage.text("summary").contains("**The scaler is not up with the old values either.**"));
}

#[test]
fn an_app_that_had_the_settings_and_is_not_up_is_no_success_and_there_is_nothing_to_undo() {
    if no_python() {
        return;
    }
    let has = json!([{"name": "ACI_IMAGE", "value": "r.azurecr.io/w:1"}]).to_string();
    let stage = crashing(&[]).answer("appsettings list", &[json!(has)]);
    let ran = push_with(&stage, &json!({"restart_app": false}), &[("DEADLINE_SECONDS", "0")]);
    assert!(!ran.succeeded && count(&stage, "appsettings set") == 0, "{ran:?}");
}

#[test]
fn a_scaler_that_is_stopped_keeps_its_new_settings_and_nobody_says_that_it_accepts_them() {
    if no_python() {
        return;
    }
    for (name, value) in [("AzureWebJobs_ScaleTimer_Disabled", "true"), ("azurewebjobs.scaletimer.disabled", "1")] {
        let settings = json!([{"name": name, "value": value}]).to_string();
        let stage = app().answer("appsettings list", &[json!(settings)]);
        let ran = push(&stage, &json!({}));
        assert!(!ran.succeeded && ran.printed.contains("was disabled before: the settings are in place"), "{ran:?}");
        assert_eq!((count(&stage, "appsettings set"), count(&stage, "appsettings delete")), (1, 0));
    }
}

#[test]
fn the_log_is_asked_for_until_its_lines_have_arrived() {
    if no_python() {
        return;
    }
    let line = "PROVISIONING_MAX_WORKERS=\"lots\": expected 1 to 64\n::set-output name=x::%y";
    let stage = crashing(&[]).answer("/query", &[rows(&[]), rows(&[]), rows(&[line])]);
    let ran = log(&stage, &[]);
    let expected = "::error title=The scaler's log::PROVISIONING_MAX_WORKERS=\"lots\": expected 1 to 64%0A::set-output \
                    name=x::%25y\n";
    assert!(ran.succeeded && ran.printed == expected, "{ran:?}");
    assert_eq!(stage.waited(), 2 * 15);
    let insights = "https://api.applicationinsights.io";
    let body = &stage.calls().remove(2).arguments[8];
    let expected = format!(
        "rest --method post --url {insights}/v1/apps/00000000-0000-0000-0000-00000000000d/query --resource {insights} \
         --body {body} --only-show-errors --output json"
    );
    assert_eq!(stage.command_lines()[2], expected);
    let query = stage.recorded()[2]["files"][body].as_str().unwrap_or_default().to_owned();
    assert!(query.contains("timestamp >= datetime(2027-01-15T08:00:00Z) and severityLevel >= 3"), "{query}");
    assert!(!ran.printed.contains("InstrumentationKey"));
}

#[test]
fn a_log_that_cannot_be_read_is_no_further_failure() {
    if no_python() {
        return;
    }
    let refused = json!({"exit": 1, "stderr": "InsufficientAccessError"});
    for (piece, answer, reason) in [
        ("/query", refused.clone(), "The log cannot be read"),
        ("/query", json!("<html>"), "The log's answer is not JSON"),
        ("/query", rows(&[]), "The log has no error of the scaler yet"),
        ("cloud show", json!(""), "The cloud has no Application Insights"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", json!(""), "The app names no Application Insights"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", refused, "The app's settings cannot be read"),
    ] {
        let stage = crashing(&[]).answer(piece, &[answer]);
        let ran = log(&stage, &[("LOG_POLLS", "2")]);
        let notice = format!("::notice title=The scaler's log::{reason}; whoever may read");
        assert!(ran.succeeded && ran.printed.contains(&notice), "{ran:?}");
    }
}

/// An app whose host runs after a push, but then crashes and restarts until the old values are back. Its log has these lines.
pub fn crashing(lines: &[&str]) -> Stage {
    let (down, starting) = (json!({"exit": 1, "stderr": "Bad Gateway"}), json!(RUNNING));
    // Before the push; then checks ten seconds apart, with crashes and restarts in between.
    let crashes = vec![[down.clone(), starting.clone(), starting.clone(), down]; 3].concat();
    app()
        .answer("host/status", &[[starting].as_slice(), &crashes, &[json!(process("b", 100))]].concat())
        .answer("APPLICATIONINSIGHTS_CONNECTION_STRING", &[json!(APP_INSIGHTS)])
        .answer("cloud show", &[json!("https://api.applicationinsights.io")])
        .answer("/query", &[rows(lines)])
}

/// The answer of Application Insights.
fn rows(lines: &[&str]) -> Value {
    let rows: Vec<_> = lines.iter().map(|line| [line]).collect();
    let table = json!({"name": "PrimaryResult", "columns": [{"name": "message", "type": "string"}], "rows": rows});
    Value::from(json!({"tables": [table]}).to_string())
}

/// What the scaler writes to standard error when it gets the invalid setting, line by line.
fn refusal_of_the_scaler() -> Vec<&'static str> {
    let output = Command::new(env!("CARGO_BIN_EXE_aci-scaler"))
        .env_clear()
        .env("PROVISIONING_MAX_WORKERS", "lots")
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the scaler can be executed");
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    said.leak().lines().collect()
}

fn log(stage: &Stage, more: &[(&str, &str)]) -> Ran {
    let environment =
        [("FUNCTION_APP_NAME", "my-scaler"), ("RESOURCE_GROUP", "my-rg"), ("SINCE", "2027-01-15T08:00:00Z")];
    stage.run("scaler-log.sh", &[&environment, more].concat())
}

/// The files that were passed in command lines with this text.
fn written(stage: &Stage, piece: &str) -> Vec<Value> {
    let recorded = stage.recorded();
    let calls = recorded.iter().zip(stage.command_lines()).filter(|(_, line)| line.contains(piece));
    let files =
        calls.filter_map(|(call, _)| call["files"].as_object().and_then(|files| files.values().next()?.as_str()));
    files.map(|content| serde_json::from_str(content).expect("JSON for az")).collect()
}

fn mode(stage: &Stage, name: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(stage.path(name)).expect("it is there").permissions().mode() & 0o777
}
