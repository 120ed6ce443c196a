//! Workers that need more memory than their files ask for.

use local_azure::container_groups::{Behaviour, GroupSnapshot, Rule};
use local_azure::resource_manager::OperationKind::PutGroup;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::served::Served;
use crate::support::{PATIENCE, World, counts, messages};

/// A world whose workers need so many GB, and in which a message is tried again after a second.
async fn needing(memory_gb: f64) -> World {
    let mut world = World::new(&["a"]).await;
    world.set("PROVISIONING_RETRY_BACKOFF_SECONDS", "1");
    world.azure.resource_manager.container_groups().inject(Rule::always(Behaviour::NeedsMemory(memory_gb), |_| true));
    world
}

/// Makes passes until this attempt at the message has a group.
async fn until_attempt(world: &World, attempt: &str) -> GroupSnapshot {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let groups = world.groups();
        if let Some(group) = groups.into_iter().find(|group| group.tags["attempt"] == attempt) {
            return group;
        }
        assert!(Instant::now() < deadline, "attempt {attempt} is made: {:?}", world.calls(PutGroup));
        world.pass().await;
    }
}

#[tokio::test]
async fn a_worker_that_needs_twice_its_memory_is_served_at_the_second_attempt_and_the_log_and_the_plan_say_why() {
    let mut world = needing(2.0).await;
    world.set("PROVISIONING_RETRY_BACKOFF_SECONDS", "2");
    world.set("LOG_FORMAT", "json");
    world.set("ACI_CPU_MULTIPLIER", "8");
    world.set("ACI_DEFAULT_CPU", "0.5");
    world.send("a", messages("m", 1));
    let scaler = Served::start(&world).await;
    assert_eq!(scaler.pass().await["message_counts"]["created"], 1);
    let first = world.group_of("m1");
    assert_eq!((first.memory_gb, first.cpu), (1.0, 1.0), "{first:?}");
    world.until_all_have_ended().await;

    let plan = world.run(&["plan", "--json"]).await.report();
    let backing_off = &plan["messages"][0];
    assert_eq!((&backing_off["outcome"], &backing_off["ran_out_of_gb"]), (&json!("backing_off"), &json!(1.0)));
    let deadline = Instant::now() + PATIENCE;
    let planned = loop {
        let plan = world.run(&["plan", "--json"]).await.report();
        if plan["messages"][0]["outcome"] == "to_be_created" {
            break plan["messages"][0].clone();
        }
        assert!(Instant::now() < deadline, "the next attempt is due: {plan:#}");
    };
    let size = [&planned["memory_gb"], &planned["ran_out_of_gb"], &planned["cpu"]];
    assert_eq!(size, [&json!(2.0), &json!(1.0), &json!(2.0)], "{planned:#}");
    let table = world.run(&["plan"]).await;
    assert!(table.output.contains("2 GB after running out of 1"), "{}", table.output);
    let explained = world.run(&["explain", "m1"]).await;
    assert!(explained.output.contains("2 GB after running out of 1 and 2 cores"), "{}", explained.output);

    let pass = scaler.pass().await;
    assert_eq!(pass["message_counts"]["created"], 1, "{pass:#}");
    let second = until_attempt(&world, "2").await;
    assert_eq!((second.memory_gb, second.cpu), (2.0, 2.0), "{second:?}");
    assert_eq!(second.tags["ran_out_of_gb"], "1");
    world.until_all_are_running_or_have_ended().await;
    world.serve(&second);
    world.until_all_have_ended().await;
    let pass = scaler.pass().await;
    assert_eq!(pass["group_counts"]["deleted"], 2, "{pass:#}");

    crate::support::until("the second group is in the log", || scaler.log().contains("after running out of 1")).await;
    let log = scaler.kill().await;
    let events = |name: &str| -> Vec<Value> {
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.map(|mut line| line["fields"].take()).filter(|event| event["event"] == name).collect()
    };
    let created = events("created");
    assert_eq!(created[1]["message"], "created a container group with 2 GB after running out of 1");
    assert_eq!((&created[1]["memory_gb"], &created[1]["ran_out_of_gb"]), (&json!(2.0), &json!(1.0)), "{created:#?}");
    assert_eq!((&created[0]["message"], created[0].get("ran_out_of_gb")), (&json!("created a container group"), None));
    let failed = events("attempt_failed");
    assert_eq!(
        (failed.len(), &failed[0]["reason"], &failed[0]["ran_out_of_gb"]),
        (1, &json!("OOMKilled"), &json!(1.0))
    );
}

#[tokio::test]
async fn memory_grows_from_one_process_to_the_next_up_to_the_most_and_the_request_is_the_same_from_all() {
    let mut world = needing(1000.0).await;
    world.set("ACI_OOM_MEMORY_FACTOR", "2.5");
    world.set("ACI_MAX_MEMORY_GB", "4");
    world.set("PROVISIONING_MAX_ATTEMPTS", "4");
    world.send("a", messages("m", 1));
    let mut sizes = Vec::new();
    for attempt in ["1", "2", "3", "4"] {
        // Each pass is a process of its own.
        let group = until_attempt(&world, attempt).await;
        sizes.push((group.memory_gb, group.tags.get("ran_out_of_gb").cloned()));
        world.until_all_have_ended().await;
    }
    let tag = |gb: &str| Some(gb.to_owned());
    assert_eq!(sizes, [(1.0, None), (2.5, tag("1")), (4.0, tag("2.5")), (4.0, tag("4"))]);
    world.pass().await;
    assert_eq!(world.pass().await.messages(), counts([("parked", 1)]));
    assert_eq!(world.calls(PutGroup).len(), 4);
}

#[tokio::test]
async fn with_a_factor_of_1_every_attempt_has_what_its_file_asks_for() {
    let mut world = needing(2.0).await;
    world.set("ACI_OOM_MEMORY_FACTOR", "1");
    world.send("a", messages("m", 1));
    world.pass().await;
    world.until_all_have_ended().await;
    let second = until_attempt(&world, "2").await;
    assert_eq!((second.memory_gb, second.tags.get("ran_out_of_gb")), (1.0, None));
}

#[tokio::test]
async fn the_worker_finds_its_own_memory_and_attempt_in_its_variables() {
    let mut world = needing(2.0).await;
    world.set("INSTANCE_MEMORY_GB", "{{scaler.memory_gb}}");
    world.set("INSTANCE_ATTEMPT", "{{scaler.attempt}} of {{scaler.max_attempts}} at {{scaler.message_id}}");
    world.set("ACI_PLAIN_ENV", "ATTEMPT");
    world.send("a", messages("m", 1));
    world.pass().await;
    world.until_all_have_ended().await;
    let second = until_attempt(&world, "2").await;
    assert_eq!(second.environment["MEMORY_GB"].value, "2");
    assert_eq!(second.environment["ATTEMPT"].value, "2 of 10 at m1");
    let wrong = {
        world.set("INSTANCE_ATTEMPT", "{{scaler.attempts}}");
        world.run(&["once"]).await
    };
    assert_eq!(wrong.exit_code, 64, "{wrong:#?}");
    assert!(wrong.log.contains("INSTANCE_ATTEMPT") && wrong.log.contains("did you mean attempt?"), "{wrong:#?}");
}
