//! Programs that run as the workers of container groups.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use local_azure::container_groups::{Exit, GroupSnapshot, Phase};
use local_azure::local::TOPIC;
use local_azure::program::Program;
use local_azure::sample;
#[cfg(target_os = "linux")]
use reqwest::Method;
use serde_json::json;
use test_support::programs::python;
use tokio::time::{sleep, timeout};

#[cfg(target_os = "linux")]
use crate::support::GROUPS;
use crate::support::{Controlled, DEADLINE};

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const SERVICE_BUS_SDK: &str = "azure-servicebus==7.15.0";

fn program(name: &str, arguments: &[&str]) -> Program {
    Program::find(Path::new(name), arguments.iter().map(OsString::from), OsStr::new(PATH)).unwrap()
}

/// Runs a script as the worker of a group, to its end.
async fn run(script: &str) -> GroupSnapshot {
    let controlled = Controlled::start(program("sh", &["-c", script])).await;
    controlled.group("worker-1", &json!([]), |group| group.phase.is_over()).await
}

fn exit_of(group: &GroupSnapshot) -> Exit {
    match group.phase {
        Phase::Terminated { exit, .. } => exit,
        phase => panic!("{phase:?}"),
    }
}

#[tokio::test]
async fn a_program_has_the_groups_environment_and_the_path_and_nothing_else() {
    let controlled = Controlled::start(program("env", &[])).await;
    let environment = json!([{ "name": "PLAIN", "value": "a b" }, { "name": "SECRET", "secureValue": "s" }]);
    let mut group = controlled.group("worker-1", &environment, |group| group.phase.is_over()).await;
    group.log.sort();
    assert_eq!(group.log, [&format!("PATH={PATH}"), "PLAIN=a b", "SECRET=s"]);
}

#[tokio::test]
async fn what_a_program_prints_is_the_log_and_its_exit_code_is_the_containers() {
    let group = run("echo out; echo 'without an end of line' | tr -d '\\n' >&2; exit 3").await;
    assert_eq!(exit_of(&group), Exit::Code(3));
    let mut lines = group.log.clone();
    lines.sort();
    assert_eq!(lines, ["out", "without an end of line"]);
    assert_eq!(exit_of(&run("exit 0").await), Exit::Code(0));
}

#[tokio::test]
async fn a_program_that_a_signal_ends_exits_as_containers_do() {
    assert_eq!(exit_of(&run("kill -KILL $$").await), Exit::Code(137));
    assert_eq!(exit_of(&run("kill -TERM $$").await), Exit::Code(143));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_whose_children_hold_more_than_the_groups_memory_is_killed_for_it() {
    // `tail` keeps 572 MiB until its input ends; the group has 512.
    let group = run("(head -c 600000000 /dev/zero; exec sleep 1000) | tail -c 600000000").await;
    assert_eq!(exit_of(&group), Exit::OutOfMemory);
    let state = &group.json["properties"]["containers"][0]["properties"]["instanceView"]["currentState"];
    assert_eq!((&state["exitCode"], &state["detailStatus"]), (&json!(137), &json!("OOMKilled")));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_allocation_far_beyond_the_groups_memory_fails() {
    let group = run("while [ $(ulimit -d) = unlimited ]; do :; done; ulimit -d").await;
    assert_eq!(group.log, ["1048576"], "twice 0.5 GB, in KiB");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_and_all_that_it_has_started_end_when_the_group_is_deleted() {
    let controlled = Controlled::start(program("sh", &["-c", "sleep 1000 & echo $$ $!; wait"])).await;
    let group = controlled.group("worker-1", &json!([]), |group| !group.log.is_empty()).await;
    let processes: Vec<PathBuf> = group.log[0].split(' ').map(|id| Path::new("/proc").join(id)).collect();
    assert!(processes.iter().all(|process| process.exists()), "{processes:?}");
    controlled.arm(Method::DELETE, &format!("{GROUPS}/worker-1"), None).await.unwrap();
    all_are_gone(&processes).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let group = run("sleep 1000 >/dev/null 2>&1 & echo $!").await;
    all_are_gone(&[Path::new("/proc").join(&group.log[0])]).await;
}

/// A zombie, a dead process that its parent has not waited for, counts as gone.
#[cfg(target_os = "linux")]
async fn all_are_gone(processes: &[PathBuf]) {
    let is_gone = |process: &PathBuf| {
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    };
    let gone = async {
        while !processes.iter().all(is_gone) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, gone).await.unwrap_or_else(|_| panic!("some of {processes:?} live on"));
}

#[test]
fn a_program_is_looked_for_before_it_is_needed() {
    let find = |name: &str| Program::find(Path::new(name), [], OsStr::new(PATH)).map_err(|error| error.to_string());
    assert!(find("/bin/sh").is_ok() && find("sh").is_ok());
    for name in ["no-such-program", "./sh", "/etc/passwd", "/bin"] {
        assert_eq!(find(name).unwrap_err(), format!("the worker {name} is not a program that can be run"));
    }
}

#[test]
fn serve_does_not_start_with_a_worker_that_cannot_run() {
    let options = ["serve", "--service-bus-port", "0", "--port", "0", "--worker", "./no-such-worker"];
    let output = Command::new(env!("CARGO_BIN_EXE_local-azure")).args(options).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("the worker ./no-such-worker is not a program that can be run")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_in_python_serves_a_message() {
    let Some(python) = python(&[SERVICE_BUS_SDK]) else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/worker.py");
    let controlled = Controlled::start(program(python.to_str().unwrap(), &[script])).await;
    let bus = &controlled.azure.service_bus;
    bus.publish(TOPIC, sample::message("m1", 8)).unwrap();
    let environment = json!([
        { "name": "SERVICE_BUS_CONNECTION_STRING", "secureValue": bus.connection_string() },
        { "name": "TOPIC", "value": TOPIC },
        { "name": "SUBSCRIPTION", "value": "1-50MB" },
    ]);
    let group = controlled.group("worker-1", &environment, |group| group.phase.is_over()).await;
    assert_eq!(exit_of(&group), Exit::Code(0), "{:#?}", group.log);
    assert_eq!(group.log, ["working on message m1, a file of 8 MB", "message m1 is settled"]);
    assert!(bus.peek_all(TOPIC, "1-50MB").unwrap().is_empty());
}

#[test]
fn the_workers_in_python_are_those_in_the_docs() {
    let docs = include_str!("../../../../docs/local-azure.md");
    let indented = |worker: &str| -> String {
        worker.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect()
    };
    let plain = indented(include_str!("../../../data/worker.py"));
    let with_identity = indented(include_str!("../../../data/worker_with_identity.py"));
    assert!(docs.contains(&plain) && docs.contains(&with_identity), "docs/local-azure.md has other workers");
}
