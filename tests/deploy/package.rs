//! The package: built as for Azure, unpacked into an empty folder, and run there by the local Functions host.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use local_azure::functions_host::{FunctionsHost, HostConfig, Level, Outcome};
use local_azure::local::{LocalAzure, LocalAzureConfig};
use serde_json::{Value, json};
use test_support::ceiling;
use test_support::programs::{check, missing};

use crate::stage::repository;
use crate::tools::{no_python, write};

/// Only one test compiles the scaler again. The others package the binary of this test run.
const BINARY: &str = env!("CARGO_BIN_EXE_aci-scaler");

#[test]
fn the_package_holds_the_app_and_only_the_binary_can_be_executed() {
    if no_python() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let package = folder.path().join("app.zip");
    package_binary(&package);
    let listed = check(Command::new("python3").arg("-c").arg(LIST).arg(&package));
    assert_eq!(
        listed.lines().collect::<Vec<_>>(),
        ["0o100644 ScaleTimer/function.json", "0o100755 aci-scaler", "0o100644 host.json"]
    );
    unpack(&package, &folder.path().join("app"));
    let host: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("app/host.json")).expect("host.json"))
            .expect("host.json is JSON");
    assert_eq!(host["customHandler"]["description"]["defaultExecutablePath"], "aci-scaler");
}

#[test]
fn the_same_files_make_the_same_package() {
    if no_python() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("another-name");
    fs::copy(BINARY, &copy).expect("the binary can be read");
    let (first, second) = (folder.path().join("first.zip"), folder.path().join("second.zip"));
    package_binary(&first);
    check(script().args(["--binary"]).arg(&copy).arg("--output").arg(&second));
    assert!(fs::read(first).expect("a package") == fs::read(second).expect("a package"), "the packages differ");
}

#[test]
fn packaging_says_what_it_does_not_understand() {
    for arguments in [&["--ouput", "x"][..], &["--output"]] {
        let output = script().args(arguments).output().expect("the script can be executed");
        assert!(!output.status.success(), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "), "{output:?}");
    }
}

/// Compiles the scaler for Azure, which takes minutes the first time; no other test does.
#[tokio::test(flavor = "multi_thread")]
async fn the_static_package_runs_where_there_is_nothing_else() {
    let has_target = ["-c", "test -d \"$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-musl\""];
    if no_python() || missing("musl-gcc", &["--version"]) || missing("sh", &has_target) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (package, app) = (folder.path().join("app.zip"), folder.path().join("app"));
    check(script().arg("--output").arg(&package));
    unpack(&package, &app);

    let binary = app.join("aci-scaler");
    let bytes = fs::metadata(&binary).expect("the binary").len();
    assert!(bytes <= ceiling::MAX_BYTES, "the binary has {bytes} bytes");
    let libraries = Command::new("ldd").arg(&binary).output().expect("ldd is part of libc");
    let libraries = String::from_utf8_lossy(&[libraries.stdout, libraries.stderr].concat()).into_owned();
    assert!(libraries.contains("statically linked") || libraries.contains("not a dynamic executable"), "{libraries}");
    run_by_the_host(&app).await;
}

#[test]
fn no_more_crates_are_built_than_there_is_an_argument_for_and_one_tls_provider() {
    let crates = ceiling::crates(repository()).expect("cargo is there");
    assert!(crates.len() <= ceiling::MAX_CRATES, "{} crates, more than {}", crates.len(), ceiling::MAX_CRATES);
    assert_eq!(ceiling::unwanted(&crates), None);
    assert!(crates.iter().any(|line| line.starts_with("ring ")), "{crates:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_host_runs_an_unpacked_package() {
    if no_python() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    package_binary(&folder.path().join("app.zip"));
    unpack(&folder.path().join("app.zip"), &folder.path().join("app"));
    run_by_the_host(&folder.path().join("app")).await;
}

/// Has the Functions host run a pass of an app in a read-only folder, in an environment of only the app's settings.
async fn run_by_the_host(app: &Path) {
    check(Command::new("chmod").args(["-R", "a-w"]).arg(app));
    // Root can write there nevertheless, so the contents are compared too.
    let before = check(Command::new("find").arg(app));
    let azure = LocalAzure::start(LocalAzureConfig::default()).await.expect("free ports");
    let settings: BTreeMap<_, _> = azure.scaler_environment();
    let state = tempfile::tempdir().expect("a temporary folder");
    let host = FunctionsHost::start(HostConfig::new(app, settings, state.path())).await.expect("the app is complete");
    let invocation = host.invocation("ScaleTimer").await.expect("the app has the function");
    let outcome = host.invoke(&invocation).await;
    let records = host.records().all();
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}: {records:#?}");
    assert!(records.iter().all(|record| record.level != Level::Error), "{records:#?}");
    tokio::time::timeout(Duration::from_secs(20), host.stop()).await.expect("the host stops");
    assert_eq!(check(Command::new("find").arg(app)), before, "the app's folder was written to");
    check(Command::new("chmod").args(["-R", "u+w"]).arg(app));
}

#[test]
fn a_package_may_have_another_schedule() {
    if no_python() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (schedule, monitored) in [("*/10 * * * * *", false), ("0 */5 * * * *", true)] {
        let (zip, app) = (folder.path().join("app.zip"), folder.path().join(format!("app-{monitored}")));
        check(script().args(["--binary", BINARY, "--schedule", schedule, "--output"]).arg(&zip));
        unpack(&zip, &app);
        let function: Value =
            serde_json::from_str(&fs::read_to_string(app.join("ScaleTimer/function.json")).expect("it is there"))
                .expect("it is JSON");
        let timer = &function["bindings"][0];
        assert_eq!((&timer["schedule"], &timer["useMonitor"]), (&json!(schedule), &json!(monitored)));
    }
    let zip = folder.path().join("none.zip");
    let refused = script().args(["--binary", BINARY, "--schedule", "every minute", "--output"]).arg(&zip).output();
    let refused = refused.expect("it can be run");
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("is no NCRONTAB expression of six fields"),
        "{refused:?}"
    );
}

fn package_binary(output: &Path) {
    check(script().args(["--binary", BINARY, "--output"]).arg(output));
}

fn script() -> Command {
    Command::new(repository().join(".github/scripts/package.sh"))
}

/// Unpacks a package with its file modes, as the platform does.
fn unpack(package: &Path, folder: &Path) {
    let program = folder.with_extension("py");
    write(&program, UNPACK);
    check(Command::new("python3").arg(program).arg(package).arg(folder));
}

const LIST: &str = "
import sys, zipfile
for entry in zipfile.ZipFile(sys.argv[1]).infolist():
    print(oct(entry.external_attr >> 16), entry.filename)
";

const UNPACK: &str = "
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as package:
    for entry in package.infolist():
        os.chmod(package.extract(entry, sys.argv[2]), entry.external_attr >> 16)
";
