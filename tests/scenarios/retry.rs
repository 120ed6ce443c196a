//! `aci-scaler retry`, and the tag that it sets: messages that run, are parked, are held up, or whose records have gone.

use local_azure::container_groups::{Exit, ExitsAtOnce, GroupSnapshot};
use local_azure::local::TOPIC;
use local_azure::resource_manager::OperationKind::{PatchGroup, PutGroup};
use serde_json::json;

use crate::served::Served;
use crate::support::{Pass, World, counts, messages};

/// A world in which so many messages have failed at their first attempt, which is their last if there is but one.
async fn failed(count: usize, max_attempts: &str) -> World {
    let mut world = World::with_worker(&["a"], ExitsAtOnce(Exit::Code(1))).await;
    world.set("PROVISIONING_MAX_ATTEMPTS", max_attempts);
    world.set("ACI_MAX_INSTANCES", count.to_string());
    world.send("a", messages("m", count));
    world.pass().await;
    world.until_all_have_ended().await;
    world
}

async fn retry(world: &World, arguments: &[&str]) -> Pass {
    world.run(&[&["retry"], arguments].concat()).await
}

fn assert_says(pass: &Pass, all: &[&str]) {
    for words in all {
        assert!(pass.output.contains(words), "{words:?} in\n{pass:#?}");
    }
}

fn newest(world: &World, id: &str) -> GroupSnapshot {
    let groups = world.groups().into_iter().filter(|group| group.tags["message_id"] == id);
    groups.max_by_key(|group| group.created).unwrap_or_else(|| panic!("{id} has a group"))
}

#[tokio::test]
async fn a_parked_message_gets_its_first_attempt_again_in_the_next_pass() {
    let world = failed(2, "1").await;
    assert_eq!(world.pass().await.messages(), counts([("parked", 2)]));
    let record = world.group_of("m1");

    let unasked = retry(&world, &["--message", "m1"]).await;
    assert_eq!(unasked.exit_code, 64, "{unasked:#?}");
    assert!(unasked.log.contains("no terminal") && unasked.log.contains("--yes"), "{unasked:#?}");
    assert_says(&unasked, &["SUBSCRIPTION  MESSAGE  ATTEMPT  GROUP", "m1", &record.name, "exit code 1"]);
    assert_eq!(world.calls(PatchGroup), Vec::<String>::new(), "nobody was asked");

    let tagged = retry(&world, &["--message", "m1", "--yes"]).await;
    assert_eq!(tagged.exit_code, 0, "{tagged:#?}");
    assert_says(&tagged, &["1 of 1 records are tagged retry=true"]);
    assert_eq!(world.calls(PatchGroup), [record.name.as_str()]);
    let mut tags = record.tags.clone();
    tags.insert("retry".into(), "true".into());
    assert_eq!(world.group_of("m1").tags, tags, "the other tags stay");
    let again = retry(&world, &["--message", "m1", "--yes"]).await;
    assert_eq!((again.exit_code, world.calls(PatchGroup).len()), (0, 1), "{again:#?}");
    assert_says(&again, &["is tagged already", "restart the app"]);

    assert_eq!(world.pass().await.messages(), counts([("created", 1), ("parked", 1)]));
    let second = newest(&world, "m1");
    assert_eq!(second.name, record.name.strip_suffix("-1").unwrap().to_owned() + "-2");
    assert_eq!((&*second.tags["attempt"], &*second.tags["attempts_before"]), ("1", "1"));
    world.until_all_have_ended().await;
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("parked", 2)]), "its one attempt has failed again");
    assert_eq!(pass.groups(), counts([("deleted", 1), ("record", 2)]));
    let explained = world.run(&["explain", "m1"]).await;
    assert_says(&explained, &["1 attempts have not settled it", "aci-scaler retry --message ID"]);

    let parked = retry(&world, &["--parked", "--yes"]).await;
    assert_says(&parked, &["2 of 2 records are tagged retry=true"]);
    assert_eq!(world.pass().await.messages(), counts([("created", 2)]));
    assert_eq!(newest(&world, "m1").tags["attempts_before"], "2");
    assert_eq!(world.calls(PutGroup).len(), 5);
}

#[tokio::test]
async fn for_a_message_that_runs_there_is_nothing_to_do() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 2));
    world.pass().await;
    world.until_all_are_running().await;
    let running = retry(&world, &["--message", "m1", "--yes"]).await;
    assert_eq!(running.exit_code, 0, "{running:#?}");
    assert_says(&running, &["m1 of a: nothing to do: worker-", "is starting or at work"]);
    let parked = retry(&world, &["--parked", "--yes"]).await;
    assert_eq!(parked.exit_code, 0, "{parked:#?}");
    assert_says(&parked, &["There is nothing to retry."]);
    let unknown = retry(&world, &["--message", "nobody", "--yes"]).await;
    assert_eq!(unknown.exit_code, 1, "{unknown:#?}");
    assert_says(&unknown, &["nobody: no record of it is there"]);
    assert_eq!(world.calls(PatchGroup), Vec::<String>::new());
    let none = retry(&world, &["--yes"]).await;
    assert_eq!(none.exit_code, 64, "which is to be said: {none:#?}");
}

#[tokio::test]
async fn a_held_up_subscription_goes_on_at_once_and_one_of_its_messages_before_the_others() {
    let mut world = failed(4, "10").await;
    world.send("a", messages("n", 2));
    world.set("ACI_MAX_INSTANCES", "10");
    assert_eq!(world.pass().await.messages(), counts([("backing_off", 4), ("held_by_breaker", 2)]));
    let held = retry(&world, &["--message", "n1", "--yes"]).await;
    assert_eq!(held.exit_code, 0, "{held:#?}");
    assert_says(&held, &["n1 of a: it has no record", "aci-scaler retry --subscription a"]);

    assert_says(&retry(&world, &["--message", "m2", "--yes"]).await, &["1 of 1 records are tagged"]);
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("backing_off", 3), ("created", 1), ("held_by_breaker", 2)]));
    assert_eq!(newest(&world, "m2").tags["attempts_before"], "1");
    world.until_all_have_ended().await;
    world.pass().await;

    let all = retry(&world, &["--subscription", "A", "--yes"]).await;
    assert_eq!(all.exit_code, 0, "{all:#?}");
    assert_says(&all, &["4 of 4 records are tagged retry=true"]);
    assert_eq!(world.pass().await.messages(), counts([("created", 6)]));
}

#[tokio::test]
async fn where_a_record_has_gone_the_command_says_that_the_app_has_to_be_restarted() {
    let world = failed(1, "1").await;
    let scaler = Served::start(&world).await;
    assert_eq!(scaler.pass().await["message_counts"]["parked"], 1);
    assert!(world.azure.resource_manager.container_groups().remove(&world.group_of("m1").name));
    assert_eq!(scaler.pass().await["message_counts"]["parked"], 1, "the process remembers it");
    let gone = retry(&world, &["--message", "m1", "--yes"]).await;
    assert_eq!(gone.exit_code, 0, "{gone:#?}");
    assert_says(&gone, &["m1 of a: it has no record of an attempt", "restart the app"]);
    assert_eq!(scaler.pass().await["message_counts"]["parked"], 1);
    scaler.kill().await;
    let scaler = Served::start(&world).await;
    assert_eq!(scaler.pass().await["message_counts"]["created"], 1);
}

#[tokio::test]
async fn a_record_that_is_tagged_by_hand_is_retried_although_a_policy_writes_the_tag_in_another_case() {
    let world = failed(1, "1").await;
    let scaler = Served::start(&world).await;
    assert_eq!(scaler.pass().await["message_counts"]["parked"], 1);
    let mut record = world.group_of("m1");
    record.json["tags"]["Retry"] = json!("TRUE");
    world.azure.resource_manager.container_groups().plant(record.json);
    assert_eq!(scaler.pass().await["message_counts"]["created"], 1, "whatever the process remembers");
    let second = newest(&world, "m1");
    assert_eq!((&*second.tags["attempt"], &*second.tags["attempts_before"]), ("1", "1"));
    world.azure.service_bus.remove(TOPIC, "a", 1).unwrap();
}
