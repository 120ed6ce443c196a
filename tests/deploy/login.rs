//! The credentials that a workflow logs in with.

use std::process::Command;

use serde_json::json;

use crate::stage::{Ran, Stage, repository};
use crate::tools::no_python;

#[test]
fn github_says_which_subject_a_repository_has() {
    if no_python() {
        return;
    }
    for (answer, subject) in [
        // What GitHub answers for a repository of August 2026, whatever the flag says.
        (
            r#"{"use_default": true, "use_immutable_subject": false, "sub_claim_prefix": "repo:OWNER@1/NAME@2"}"#,
            "repo:OWNER@1/NAME@2:environment:my-scaler\n",
        ),
        (r#"{"use_default": true, "sub_claim_prefix": "repo:Owner/NAME"}"#, "repo:Owner/NAME:environment:my-scaler\n"),
        (r#"{"use_default": true}"#, "repo:OWNER/NAME:environment:my-scaler\n"),
    ] {
        let stage = Stage::new().answer("oidc", &[json!(answer)]);
        let ran = subject_of(&stage, "my-scaler");
        assert!(ran.succeeded && ran.printed == subject, "{ran:?}");
        assert_eq!(stage.command_lines(), ["api repos/OWNER/NAME/actions/oidc/customization/sub"]);
    }
    let stage = Stage::new().answer("oidc", &[json!(r#"{"use_default": true}"#)]);
    assert_eq!(subject_of(&stage, "a:b").printed, "repo:OWNER/NAME:environment:a%3Ab\n");
}

#[test]
fn a_subject_that_nobody_can_know_is_not_guessed() {
    if no_python() {
        return;
    }
    let own = json!(r#"{"use_default": false, "include_claim_keys": ["repo", "workflow"]}"#);
    for (answer, reason) in [
        (own, "of claims of its own (repo, workflow)"),
        (json!({"exit": 1, "stderr": "gh: Not Found (HTTP 404)"}), "HTTP 404"),
    ] {
        let ran = subject_of(&Stage::new().answer("oidc", &[answer]), "my-scaler");
        assert!(!ran.succeeded && ran.printed.contains(reason) && !ran.printed.contains("environment:"), "{ran:?}");
    }
}

fn subject_of(stage: &Stage, environment: &str) -> Ran {
    let mut script = Command::new(repository().join(".github/scripts/oidc-subject.sh"));
    stage.execute(script.args(["OWNER/NAME", environment]), &[])
}

const IDS: [(&str, &str); 3] = [("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t"), ("AZURE_SUBSCRIPTION_ID", "s")];

#[test]
fn oidc_is_preferred_where_all_three_ids_are_set() {
    for secret in ["true", "false"] {
        let stage = Stage::new();
        let ran = stage.run("choose-login.sh", &[IDS.as_slice(), &[("HAS_SECRET", secret)]].concat());
        assert!(ran.succeeded && ran.printed.is_empty(), "{ran:?}");
        assert_eq!(stage.text("output"), "method=oidc\n");
    }
}

#[test]
fn the_secret_serves_where_there_is_no_oidc() {
    let stage = Stage::new();
    let ran = stage.run("choose-login.sh", &[("AZURE_CLIENT_ID", ""), ("HAS_SECRET", "true")]);
    assert!(ran.succeeded && ran.printed.is_empty(), "{ran:?}");
    assert_eq!(stage.text("output"), "method=secret\n");
}

#[test]
fn half_of_oidc_is_pointed_out() {
    let stage = Stage::new();
    let ran = stage.run("choose-login.sh", &[IDS[0], IDS[2], ("HAS_SECRET", "true")]);
    assert!(ran.succeeded && ran.printed.contains("OIDC needs AZURE_TENANT_ID as well"), "{ran:?}");
    assert_eq!(stage.text("output"), "method=secret\n");
}

#[test]
fn without_credentials_it_is_said_which_to_set() {
    let stage = Stage::new();
    let ran = stage.run("choose-login.sh", &[IDS[1], ("HAS_SECRET", "false")]);
    assert!(!ran.succeeded);
    assert!(ran.printed.contains("Set AZURE_CLIENT_ID AZURE_SUBSCRIPTION_ID as variables (OIDC), or the secret"));
    assert_eq!(stage.text("output"), "");
}
