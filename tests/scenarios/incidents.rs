//! Seven incidents as a person on call meets them: the log alone, and one command, say what is wrong, since when, who waits and for how
//! long, why, what to do, and what it has cost so far.

use local_azure::container_groups::{Behaviour, Exit, GroupSnapshot, Job, Phase, Rule};
use local_azure::local::{LocalAzureConfig, TOPIC};
use local_azure::resource_manager::OperationKind::PutGroup;
use local_azure::resource_manager::{Answer, Fault};
use local_azure::service_bus::{self, Effect, Operation};
use serde_json::Value;

use crate::served::Served;
use crate::support::{PATIENCE, World, messages, until};

/// A world whose scaler logs in JSON.
fn logging(mut world: World) -> World {
    world.set("LOG_FORMAT", "json");
    world
}

/// The last event of a name in a log, with its level in it.
fn last(log: &str, name: &str) -> Value {
    let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut events = lines.map(|mut line| {
        let level = line["level"].take();
        line["fields"]["level"] = level;
        line["fields"].take()
    });
    events.find(|event| event["event"] == name).unwrap_or_else(|| panic!("no {name} in\n{log}"))
}

/// Ends the scaler once its log has so many events of a name and of passes, and says what it has logged. The streams' lines come when they come.
async fn log_with(scaler: Served, name: &str, times: usize, passes: usize) -> String {
    let has = |log: &str, name: &str, times: usize| {
        let event = format!("\"event\":\"{name}\"");
        log.lines().filter(|line| line.ends_with('}') && line.contains(&event)).count() >= times
    };
    until(name, || has(&scaler.log(), name, times) && has(&scaler.log(), "pass", passes)).await;
    scaler.kill().await
}

/// The event says since when, in how many passes, and how long the oldest message has waited.
fn assert_dated(event: &Value, passes: u64) {
    assert!(event["since"].as_str().is_some_and(|since| since.ends_with('Z')), "since when: {event:#}");
    assert_eq!(event["passes"], passes, "{event:#}");
}

fn assert_someone_waits(event: &Value) {
    assert!(event["waiting_seconds"].is_u64(), "for how long: {event:#}");
}

fn assert_cost(event: &Value) {
    for cost in ["gb_seconds", "vcpu_seconds"] {
        assert!(event[cost].is_number(), "{cost}: {event:#}");
    }
}

fn assert_says(text: &str, all: &[&str]) {
    for words in all {
        assert!(text.contains(words), "{words:?} in\n{text}");
    }
}

#[tokio::test]
async fn a_quota_that_is_reached() {
    let mut config = LocalAzureConfig::default();
    config.resource_manager.container_groups.max_cores = 1;
    config.resource_manager.container_groups.worker =
        std::sync::Arc::new(local_azure::container_groups::ExitsWhenTold::new(Exit::Code(0)));
    let mut world = logging(World::start(&["a"], config).await);
    world.set("ACI_DEFAULT_CPU", "1");
    world.send("a", messages("m", 3));
    let scaler = Served::start(&world).await;
    for _ in 0..2 {
        scaler.pass().await;
    }
    let log = log_with(scaler, "waiting_quota", 1, 2).await;
    let quota = last(&log, "waiting_quota");
    assert_says(quota["reason"].as_str().unwrap(), &["ContainerGroupQuotaReached", "StandardCores"]);
    assert_eq!((&quota["level"], &quota["count"]), (&"WARN".into(), &2.into()), "who waits: {quota:#}");
    assert_someone_waits(&quota);
    assert!(quota["since"].is_string(), "{quota:#}");
    let pass = last(&log, "pass");
    assert_eq!(pass["messages"]["waiting_quota"], 2, "{pass:#}");
    assert_cost(&pass);
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 1, "{check:#?}");
    assert_says(
        &check.output,
        &["failure  quota StandardCores: 1 of 1 are used in westeurope", "ask for more under Quotas"],
    );
}

#[tokio::test]
async fn a_role_that_is_missing() {
    const WRITE: &str = "Microsoft.ContainerInstance/containerGroups/write";
    let world = logging(World::new(&["a"]).await);
    world.send("a", messages("m", 5));
    world.azure.resource_manager.set_permissions(&["*/read", "*/delete"], &["*"]);
    world.azure.resource_manager.inject(Fault::always(PutGroup).answers(Answer::forbidden(WRITE)));
    let scaler = Served::start(&world).await;
    for _ in 0..2 {
        scaler.pass().await;
    }
    let log = log_with(scaler, "create_failed", 2, 2).await;
    let failed = last(&log, "create_failed");
    assert_eq!((&failed["level"], &failed["code"]), (&"ERROR".into(), &"AuthorizationFailed".into()));
    assert_says(failed["reason"].as_str().unwrap(), &["refuses the scaler's identity", WRITE]);
    assert_dated(&failed, 2);
    assert_someone_waits(&failed);
    assert_eq!(failed["held"], 4, "who waits besides {failed:#}");
    assert_cost(&last(&log, "pass"));
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 1, "{check:#?}");
    assert_says(
        &check.output,
        &[
            &format!("failure  permissions on the resource group: the managed identity may not {WRITE}."),
            "az role assignment create --assignee",
            "--role \"Azure Container Instances Contributor Role\" --scope /subscriptions/",
        ],
    );
}

#[tokio::test]
async fn a_service_bus_that_is_down() {
    let mut world = logging(World::new(&["a"]).await);
    world.set("ACI_MAX_INSTANCES", "1");
    world.send("a", messages("m", 3));
    let scaler = Served::start(&world).await;
    scaler.pass().await;
    world.azure.service_bus.shutdown();
    for _ in 0..2 {
        scaler.invoke().await;
    }
    let log = log_with(scaler, "pass_failed", 2, 1).await;
    let failed = last(&log, "pass_failed");
    assert_eq!(failed["level"], "ERROR");
    assert_says(failed["message"].as_str().unwrap(), &["no subscription could be peeked", "Service Bus"]);
    assert_dated(&failed, 2);
    assert_eq!(failed["waiting"], 2, "who waited when a pass last succeeded: {failed:#}");
    assert_someone_waits(&failed);
    assert_cost(&last(&log, "pass"));
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 1, "{check:#?}");
    assert_says(
        &check.output,
        &["failure  Service Bus: Service Bus could not be read", "check SB_CONNECTION_STR", "3 messages"],
    );
}

#[tokio::test]
async fn a_subscription_that_hangs() {
    let mut world = logging(World::new(&["bad", "good"]).await);
    world.set("PASS_DEADLINE_SECONDS", "10");
    world.send("bad", messages("bad", 2));
    world.send("good", messages("good", 1));
    let hangs = service_bus::Fault::new(Operation::Peek, Effect::Hang).of_subscription(TOPIC, "bad");
    world.azure.service_bus.inject(hangs);
    let scaler = Served::start(&world).await;
    let report = scaler.pass().await;
    let unread_since =
        &report["subscriptions"].as_array().unwrap().iter().find(|of| of["name"] == "bad").unwrap()["unread_since"];
    assert!(unread_since.is_string(), "{report:#}");
    let log = log_with(scaler, "unread", 1, 1).await;
    let unread = last(&log, "unread");
    assert_eq!((&unread["level"], &unread["subscription"]), (&"WARN".into(), &"bad".into()));
    assert_eq!((&unread["backlog"], &unread["reason"]), (&2.into(), &"Service Bus did not answer within 2 s".into()));
    assert_dated(&unread, 1);
    let pass = last(&log, "pass");
    assert_eq!((&pass["unread_subscriptions"], &pass["subscriptions"]["bad"]["backlog"]), (&1.into(), &2.into()));
    assert_cost(&pass);
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 1, "{check:#?}");
    assert_says(
        &check.output,
        &["failure  subscription bad: it cannot be peeked", "2 messages", "ok       subscription good"],
    );
    let plan = world.run(&["plan"]).await;
    assert_says(&plan.output, &["Subscription bad could not be read to its end: ", "It has 2 messages."]);
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled() {
    let world = logging(World::new(&["a"]).await);
    world.azure.resource_manager.container_groups().inject(Rule::always(Behaviour::ImagePullFails, |_| true));
    world.send("a", messages("m", 1));
    let scaler = Served::start(&world).await;
    scaler.pass().await;
    let failing = |groups: &[GroupSnapshot]| groups.iter().all(|group| group.phase == Phase::ImagePullBackOff);
    world.azure.resource_manager.container_groups().until(PATIENCE, failing).await.unwrap();
    scaler.pass().await;
    let log = log_with(scaler, "start_failing", 1, 2).await;
    let failing = last(&log, "start_failing");
    assert_says(failing["reason"].as_str().unwrap(), &["ImagePullBackOff", "ailed to pull image"]);
    assert_eq!(
        (&failing["message_id"], &failing["attempt"], &failing["level"]),
        (&"m1".into(), &1.into(), &"WARN".into())
    );
    assert_dated(&failing, 1);
    assert_someone_waits(&failing);
    assert_cost(&last(&log, "pass"));
    let explained = world.run(&["explain", "m1"]).await;
    assert_eq!(explained.exit_code, 0, "{explained:#?}");
    assert_says(
        &explained.output,
        &[
            "arrived ",
            " ago, at ",
            "Azure cannot start: ImagePullBackOff",
            "counts as failed",
            "push the image",
            "GB-seconds",
            "worker-",
        ],
    );
    let plan = world.run(&["plan"]).await;
    assert_says(&plan.output, &["SUBSCRIPTION", "running", "ImagePullBackOff"]);
}

/// Containers that print and then end like this.
fn ends(exit: Exit) -> impl local_azure::container_groups::Worker {
    move |job: Job| async move {
        job.log.line("read 182 MB");
        job.log.line("sorting");
        exit
    }
}

#[tokio::test]
async fn a_container_that_needs_more_memory() {
    let world = logging(World::with_worker(&["a"], ends(Exit::OutOfMemory)).await);
    world.send("a", messages("m", 1));
    let scaler = Served::start(&world).await;
    scaler.pass().await;
    world.until_all_have_ended().await;
    scaler.pass().await;
    let log = log_with(scaler, "attempt_failed", 1, 2).await;
    let failed = last(&log, "attempt_failed");
    assert_eq!(
        (&failed["exit_code"], &failed["reason"], &failed["level"]),
        (&137.into(), &"OOMKilled".into(), &"WARN".into())
    );
    assert_eq!((&failed["message_id"], &failed["attempt"]), (&"m1".into(), &1.into()));
    assert_eq!(failed["last_lines"], serde_json::json!(["read 182 MB", "sorting"]));
    assert!(failed["since"].is_string(), "{failed:#}");
    assert_cost(&failed);
    assert_eq!(last(&log, "pass")["messages"]["backing_off"], 1);
    assert!(last(&log, "pass")["oldest_waiting_seconds"].is_u64());
    assert_eq!(world.groups().len(), 1, "the log has it before anything is deleted");
    let explained = world.run(&["explain", "m1"]).await;
    assert_says(
        &explained.output,
        &[
            "Attempt 1 ended (exit code 137, OOMKilled, 1 GB were not enough)",
            "2 GB after running out of 1 and ",
            "The next attempt is due at ",
            "Read the last lines below",
            "  sorting",
            "GB-seconds",
            "ago, at ",
        ],
    );
    let json: Value = serde_json::from_str(&world.run(&["explain", "m1", "--json"]).await.output).unwrap();
    assert_eq!(
        (&json["messages"][0]["outcome"], &json["messages"][0]["exit_code"]),
        (&"backing_off".into(), &137.into())
    );
    assert_eq!(json["messages"][0]["attempts"][0]["last_lines"][1], "sorting", "{json:#}");
}

#[tokio::test]
async fn containers_that_crash_one_after_the_other() {
    let mut world = logging(World::with_worker(&["a"], ends(Exit::Code(3))).await);
    world.set("ACI_MAX_INSTANCES", "3");
    world.send("a", messages("m", 9));
    let scaler = Served::start(&world).await;
    scaler.pass().await;
    world.until_all_have_ended().await;
    scaler.pass().await;
    scaler.pass().await;
    let log = log_with(scaler, "held", 1, 3).await;
    let held = last(&log, "held");
    assert_eq!(
        (&held["level"], &held["count"], &held["exit_code"]),
        (&"WARN".into(), &6.into(), &3.into()),
        "{held:#}"
    );
    assert!(held["group"].is_string() && held["until"].is_string() && held["attempt"] == 1, "{held:#}");
    assert_dated(&held, 1);
    assert_someone_waits(&held);
    assert_cost(&held);
    assert_eq!(log.matches("\"event\":\"attempt_failed\"").count(), 3, "each is logged once");
    assert_eq!(log.matches("\"event\":\"held\"").count(), 1, "what has not changed is not repeated every pass");
    let plan = world.run(&["plan", "--subscription", "A", "--outcome", "held_by_breaker"]).await;
    let rows: Vec<_> = plan.output.lines().filter(|line| line.contains("held_by_breaker")).collect();
    assert_eq!(rows.len(), 6, "{plan:#?}");
    assert!(rows.iter().all(|row| row.contains("exit code 3") && row.contains("worker-")), "{rows:#?}");
    assert_says(&plan.output, &["have cost ", " GB-seconds and "]);
    let explained = world.run(&["explain", "m9"]).await;
    assert_says(
        &explained.output,
        &[
            "Its subscription is held up: containers of 3 messages failed",
            "exit code 3",
            "let through at ",
            "Fix the worker's image",
        ],
    );
}

#[tokio::test]
async fn the_answer_to_the_host_is_bounded() {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_INSTANCES", "100");
    let invalid = (0..10_000).map(|n| service_bus::OutgoingMessage::new().message_id(format!("invalid-{n}")));
    world.send("a", invalid);
    let scaler = Served::start(&world).await;
    let report = scaler.pass().await;
    assert_eq!(report["message_counts"]["invalid"], 10_000, "{}", report["message_counts"]);
    let size = report.to_string().len();
    assert!(size < 64 << 10, "{size} bytes");
    let log = scaler.kill().await;
    assert!(log.lines().count() < 20, "{} lines", log.lines().count());
}
