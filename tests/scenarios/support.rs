//! A local Azure, and the real scaler's binary that works on it over real sockets.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use local_azure::container_groups::{Exit, ExitsWhenTold, GroupSnapshot, Phase, Worker};
use local_azure::local::{LocalAzure, LocalAzureConfig, TOPIC};
use local_azure::resource_manager::OperationKind;
use local_azure::service_bus::{Call, OutgoingMessage, Rule, SqlFilter, SubscriptionConfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use test_support::contract;

/// Longer than anything in a scenario takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A local Azure and the environment of a scaler that works on it.
pub struct World {
    pub azure: LocalAzure,
    pub environment: BTreeMap<String, String>,
    folder: TempDir,
}

/// The result of a pass of the scaler's binary.
#[derive(Debug)]
pub struct Pass {
    pub exit_code: i32,
    /// What it printed on its standard output.
    pub output: String,
    /// What it logged.
    pub log: String,
}

impl World {
    /// A topic with these subscriptions; containers run until a test ends them.
    pub async fn new(subscriptions: &[&str]) -> Self {
        Self::with_worker(subscriptions, ExitsWhenTold::new(Exit::Code(0))).await
    }

    /// The same, with containers that do this.
    pub async fn with_worker(subscriptions: &[&str], worker: impl Worker + 'static) -> Self {
        let mut config = LocalAzureConfig::default();
        config.resource_manager.container_groups.worker = Arc::new(worker);
        Self::start(subscriptions, config).await
    }

    /// The same, set up like this.
    pub async fn start(subscriptions: &[&str], config: LocalAzureConfig) -> Self {
        let azure = LocalAzure::start(config).await.unwrap();
        for name in subscriptions {
            let filter = SqlFilter::parse(&format!("target = '{name}'")).unwrap();
            let rules = vec![Rule::new("target", filter)];
            let config = SubscriptionConfig { rules, ..SubscriptionConfig::new(*name) };
            azure.service_bus.create_subscription(TOPIC, config).unwrap();
        }
        let mut environment = azure.scaler_environment();
        // A pass whenever a scenario asks for one.
        environment.insert("SCALE_EVERY_SECONDS".into(), "0".into());
        Self { azure, environment, folder: tempfile::tempdir().unwrap() }
    }

    /// Sets a setting of the scaler.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.insert(name.to_owned(), value.into());
    }

    /// Puts messages into a subscription.
    pub fn send(&self, subscription: &str, messages: impl IntoIterator<Item = OutgoingMessage>) {
        let targeted = messages.into_iter().map(|message| message.property("target", subscription));
        self.azure.service_bus.publish_all(TOPIC, targeted).unwrap();
    }

    /// The folder that the scaler works in, which is empty.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command line of the scaler, in an empty folder and with no other environment than its settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aci-scaler"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs the scaler to its end.
    pub async fn run(&self, arguments: &[&str]) -> Pass {
        let ended = tokio::time::timeout(PATIENCE, self.command(arguments).output()).await;
        let output = ended.expect("the scaler ends").unwrap();
        Pass {
            exit_code: output.status.code().expect("no signal ended the scaler"),
            output: String::from_utf8(output.stdout).unwrap(),
            log: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Makes one pass.
    pub async fn once(&self) -> Pass {
        let pass = self.run(&["once", "--json"]).await;
        if pass.exit_code != 1 {
            pass.assert_complete();
        }
        pass
    }

    /// Makes one pass that has to succeed entirely.
    pub async fn pass(&self) -> Pass {
        let pass = self.once().await;
        assert_eq!(pass.exit_code, 0, "{pass:#?}");
        pass
    }

    /// The existing container groups.
    pub fn groups(&self) -> Vec<GroupSnapshot> {
        self.azure.resource_manager.container_groups().groups()
    }

    /// The container group of a message.
    pub fn group_of(&self, message_id: &str) -> GroupSnapshot {
        let of_message = |group: &GroupSnapshot| group.tags.get("message_id").is_some_and(|id| id == message_id);
        self.groups().into_iter().find(of_message).unwrap_or_else(|| panic!("message {message_id} has a group"))
    }

    /// Ends the containers of all groups, and waits until that shows.
    pub async fn finish_all(&self, exit: Exit) {
        self.until_all_are_running().await;
        let groups = self.azure.resource_manager.container_groups();
        for group in groups.groups() {
            groups.finish(&group.name, exit);
        }
        self.until_all_have_ended().await;
    }

    /// Lets the container of a group take the message that the group was created for, and end.
    pub fn serve(&self, group: &GroupSnapshot) {
        let number = group.tags["sequence_number"].parse().unwrap();
        assert!(self.azure.service_bus.remove(TOPIC, &group.tags["subscription_name"], number).unwrap());
        self.azure.resource_manager.container_groups().finish(&group.name, Exit::Code(0));
    }

    /// Waits until the containers of all groups are running.
    pub async fn until_all_are_running(&self) {
        let running = |group: &GroupSnapshot| matches!(group.phase, Phase::Running { .. });
        self.azure
            .resource_manager
            .container_groups()
            .until(PATIENCE, |groups| groups.iter().all(running))
            .await
            .unwrap();
    }

    /// Waits until the containers of all groups are running, or have ended.
    pub async fn until_all_are_running_or_have_ended(&self) {
        let settled = |group: &GroupSnapshot| matches!(group.phase, Phase::Running { .. } | Phase::Terminated { .. });
        self.azure
            .resource_manager
            .container_groups()
            .until(PATIENCE, |groups| groups.iter().all(settled))
            .await
            .unwrap();
    }

    /// Waits until the containers of all groups have ended.
    pub async fn until_all_have_ended(&self) {
        let ended = |group: &GroupSnapshot| matches!(group.phase, Phase::Terminated { .. });
        self.azure
            .resource_manager
            .container_groups()
            .until(PATIENCE, |groups| groups.iter().all(ended))
            .await
            .unwrap();
    }

    /// Checks that this many messages have been served, each by one group that ran once, and that no other group was accepted.
    pub fn assert_each_had_one_group(&self, messages: usize) {
        let groups = self.azure.resource_manager.container_groups();
        let mut names: Vec<_> = groups.accepted_puts().into_iter().map(|put| put.name).collect();
        assert!(names.iter().all(|name| groups.runs(name) == 1), "each has run once: {names:?}");
        let accepted = names.len();
        names.sort();
        names.dedup();
        assert_eq!((names.len(), accepted), (messages, messages), "one group for each message: {names:?}");
    }

    /// The names in the calls of one kind, in order.
    pub fn calls(&self, kind: OperationKind) -> Vec<String> {
        let calls = self.azure.resource_manager.calls().into_iter();
        calls.filter(|call| call.kind == kind).filter_map(|call| call.name).collect()
    }

    /// How many calls of one kind there were.
    pub fn calls_of(&self, kind: OperationKind) -> usize {
        self.azure.resource_manager.calls().iter().filter(|call| call.kind == kind).count()
    }

    /// The subscriptions that were peeked, and from which sequence number on.
    pub fn peeks(&self) -> Vec<(String, i64)> {
        let peek = |call| match call {
            Call::Peek { entity, from, .. } => Some((entity.rsplit('/').next().unwrap_or_default().to_owned(), from)),
            _ => None,
        };
        self.azure.service_bus.call_log().into_iter().filter_map(peek).collect()
    }
}

/// Checks, after every scenario, that the scaler and the local Azure followed the contract between them.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            contract::assert_followed(&self.azure.resource_manager.calls());
        }
    }
}

impl Pass {
    /// The report.
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    /// How many messages have each outcome.
    pub fn messages(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(self.report()["message_counts"].take()).unwrap()
    }

    /// How many groups have each outcome.
    pub fn groups(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(self.report()["group_counts"].take()).unwrap()
    }

    /// The reasons for messages with this outcome, by message id.
    pub fn reasons(&self, outcome: &str) -> BTreeMap<String, String> {
        let report = self.report();
        let messages = report["messages"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of_outcome = messages.filter(|message| message["outcome"] == outcome);
        of_outcome.map(|message| (text(&message["message_id"]), text(&message["reason"]))).collect()
    }

    /// Checks that every peeked message has exactly one outcome.
    fn assert_complete(&self) {
        let report = self.report();
        let peeked: u64 =
            report["subscriptions"].as_array().unwrap().iter().map(|of| of["peeked"].as_u64().unwrap()).sum();
        assert_eq!(report["messages"].as_array().unwrap().len() as u64, peeked, "{self:#?}");
        assert_eq!(self.messages().values().sum::<u64>(), peeked, "{self:#?}");
    }
}

/// Waits until a condition is met.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Counts of outcomes.
pub fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(outcome, count)| (outcome.to_owned(), count)).collect()
}

/// A valid message.
pub fn message(id: impl Into<String>, file_size_mb: i32) -> OutgoingMessage {
    OutgoingMessage::new().message_id(id.into()).property("file_size_mb", file_size_mb)
}

/// Valid messages `{prefix}1`, `{prefix}2` and so on.
pub fn messages(prefix: &str, count: usize) -> Vec<OutgoingMessage> {
    (1..=count).map(|number| message(format!("{prefix}{number}"), 128)).collect()
}
