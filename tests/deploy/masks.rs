//! What keeps the values of a settings push out of the run's log.

use std::fs;

use serde_json::{Value, json};

use crate::stage::Stage;
use crate::tools::no_python;

#[test]
fn values_are_masked_in_every_form_that_the_runner_prints() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    let settings = json!({"A": "pass\"word\nline two", "B": "on"}).to_string();
    let event = json!({"client_payload": {"app_settings_json": settings}});
    fs::write(stage.path("event"), event.to_string()).expect("a folder of our own");
    let ran = stage.run("hide-values.py", &[("GITHUB_EVENT_PATH", &stage.path("event").to_string_lossy())]);
    assert!(ran.succeeded, "{ran:?}");
    let masks: Vec<_> = ran.printed.lines().filter_map(|line| line.strip_prefix("::add-mask::")).collect();
    let in_the_environment = Value::from(settings.as_str()).to_string();
    for form in [r#"pass"word"#, "line two", r#"pass\"word\nline two"#, &settings, in_the_environment.trim_matches('"')]
    {
        assert!(masks.contains(&form), "{form} is not among {masks:?}");
    }
    assert!(!masks.contains(&"on"), "masking it would blank out ordinary words");
}

#[test]
fn an_event_without_settings_has_nothing_to_mask() {
    if no_python() {
        return;
    }
    for event in ["{}", r#"{"inputs": null}"#, r#"{"client_payload": {"app_settings_json": 5}}"#, r#"{"inputs": {}}"#] {
        let stage = Stage::new();
        fs::write(stage.path("event"), event).expect("a folder of our own");
        let ran = stage.run("hide-values.py", &[("GITHUB_EVENT_PATH", &stage.path("event").to_string_lossy())]);
        assert!(ran.succeeded && ran.printed.is_empty(), "{event}: {ran:?}");
    }
}
