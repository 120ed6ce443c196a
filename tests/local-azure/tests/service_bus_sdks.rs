//! The official SDKs judge the local Service Bus.
//!
//! They are installed once, under the build's own folder. Where Python or Node is missing the tests say so and pass,
//! except under CI, where they fail.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use local_azure::service_bus::{ServiceBus, ServiceBusConfig, SubscriptionConfig};
use tokio::time::timeout;

const PYTHON_SDK: &str = "azure-servicebus==7.15.0";
const JAVASCRIPT_SDK: &str = "@azure/service-bus@7.9.5";

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_is_satisfied() {
    let Some(python) = install("python3", "sdk-python", |home| {
        run(Command::new("python3").args(["-m", "venv"]).arg(home));
        run(Command::new(home.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", PYTHON_SDK]));
    }) else {
        return;
    };
    let mut python = Command::new(python.join("bin/python"));
    python.arg(program("judge.py"));
    judge(python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_is_satisfied() {
    let Some(node) = install("node", "sdk-node", |home| {
        fs::write(home.join("package.json"), r#"{"private": true}"#).expect("the folder was just made");
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", JAVASCRIPT_SDK])
            .current_dir(home));
    }) else {
        return;
    };
    let mut javascript = Command::new("node");
    javascript.arg(program("judge.mjs")).env("NODE_HOME", node);
    judge(javascript).await;
}

/// How long a program may take: each takes seconds, most of it in the Python SDK's own waiting.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs a program against a namespace of its own.
async fn judge(program: Command) {
    let bus = ServiceBus::start(ServiceBusConfig::new()).await.expect("a free port");
    bus.create_topic("files").expect("a new topic");
    for (name, lock_duration) in [("first", 30), ("second", 30), ("brief", 1)] {
        let lock_duration = time::Duration::seconds(lock_duration);
        let config = SubscriptionConfig { lock_duration, ..SubscriptionConfig::new(name) };
        bus.create_subscription("files", config).expect("a new subscription");
    }
    let right = bus.connection_string();
    let wrong = right.replace("SharedAccessKey=", "SharedAccessKey=not-");
    let running = tokio::process::Command::from(program).args([right, wrong]).kill_on_drop(true).output();
    let output = timeout(PATIENCE, running).await.unwrap_or_else(|_| panic!("no verdict: {:#?}", bus.call_log()));
    let output = output.expect("the program was installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim_end() == "satisfied", "{said}\n{complaint}\n{:#?}", bus.call_log());
}

/// The folder in which an SDK is installed, or nothing if its language is missing here.
#[expect(clippy::disallowed_methods, reason = "CI is told to programs by the environment")]
#[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
fn install(language: &str, name: &str, installer: impl FnOnce(&Path)) -> Option<PathBuf> {
    let found = Command::new(language).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        assert!(std::env::var("CI").is_err(), "{language} is needed");
        eprintln!("skipped: {language} is not installed");
        return None;
    }
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = File::create(home.with_extension("lock")).expect("the build's folder can be written");
    lock.lock().expect("a lock on a file of our own");
    let complete = home.join("complete");
    if !complete.exists() {
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).expect("the build's folder can be written");
        installer(&home);
        File::create(complete).expect("the folder was just made");
    }
    Some(home)
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name)
}
