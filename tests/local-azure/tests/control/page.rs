//! The page, in a real browser: Debian's Chromium, driven by Playwright.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use local_azure::container_groups::{Behaviour, Exit, GroupSnapshot, Job, Phase, Rule};
use serde_json::json;
use test_support::programs::{check, install, missing};
use tokio::time::timeout;

use crate::support::Controlled;

/// As in `control/page/node`, with its hash.
const PLAYWRIGHT: &str = "playwright-core@1.65.1";

/// The time-out of the browser. It needs a few seconds, and more on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn people_see_and_do_on_the_page_what_they_expect() {
    if missing("chromium", &["--version"]) || missing("node", &["--version"]) {
        return;
    }
    let home = install("node", &[PLAYWRIGHT], |home| {
        fs::create_dir_all(home).expect("the build's folder can be written");
        let lists = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control/page/node");
        for list in ["package.json", "package-lock.json"] {
            fs::copy(lists.join(list), home.join(list)).expect("the folder was just made");
        }
        let options = ["ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"];
        check(Command::new("npm").args(options).current_dir(home));
    });
    let controlled = Controlled::start(async |job: Job| {
        job.log.line("<b>line</b>");
        if job.group == "worker-failed" {
            return Exit::Code(3);
        }
        std::future::pending().await
    })
    .await;
    let runs = |group: &GroupSnapshot| matches!(group.phase, Phase::Running { .. });
    controlled.group("worker-running", &json!([]), runs).await;
    controlled.group("worker-failed", &json!([]), |group| group.phase.is_over()).await;
    let pulls = Rule::always(Behaviour::ImagePullFails, |group| group.name == "worker-pulls");
    controlled.azure.resource_manager.container_groups().inject(pulls);
    controlled.group("worker-pulls", &json!([]), |group| group.phase == Phase::ImagePullBackOff).await;

    let mut judge = tokio::process::Command::new("node");
    judge.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control/page/judge.mjs"));
    judge.arg(controlled.url("/")).env("NODE_HOME", home).kill_on_drop(true);
    let output = timeout(PATIENCE, judge.output()).await.expect("the browser comes to an end").expect("node runs");
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim_end() == "satisfied", "{said}\n{complaint}");
}
