//! Messages whose containers fail, and groups whose messages are gone.

use local_azure::container_groups::{Exit, ExitsAtOnce};
use local_azure::local::TOPIC;
use local_azure::resource_manager::OperationKind::{DeleteGroup, PatchGroup, PutGroup};
use serde_json::json;
use test_support::group::{State, in_state};
use tokio::time::Instant;

use crate::support::{PATIENCE, World, counts, messages};

/// Makes passes until this many groups have been created in all.
async fn until_created(world: &World, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while world.calls(PutGroup).len() < count {
        assert!(Instant::now() < deadline, "{count} groups are created: {:?}", world.calls(PutGroup));
        world.pass().await;
    }
}

#[tokio::test]
async fn a_message_whose_container_dies_gets_another_attempt_after_its_back_off_until_it_is_parked() {
    let mut world = World::with_worker(&["a"], ExitsAtOnce(Exit::Code(1))).await;
    world.set("PROVISIONING_RETRY_BACKOFF_SECONDS", "1");
    world.set("PROVISIONING_MAX_ATTEMPTS", "2");
    world.send("a", messages("m", 1));
    world.pass().await;
    world.until_all_have_ended().await;

    let waiting = world.pass().await;
    assert_eq!(waiting.messages(), counts([("backing_off", 1)]));
    assert_eq!(world.calls(DeleteGroup), Vec::<String>::new(), "the group is the record of its attempt");

    until_created(&world, 2).await;
    world.until_all_have_ended().await;
    let [first, second] = world.calls(PutGroup).try_into().unwrap();
    assert_eq!(first.strip_suffix("-1").unwrap(), second.strip_suffix("-2").unwrap());

    let deadline = Instant::now() + PATIENCE;
    while world.groups().len() > 1 {
        assert!(Instant::now() < deadline, "the first attempt's group goes");
        world.pass().await;
    }
    assert_eq!(world.calls(DeleteGroup), [first]);
    let parked = world.pass().await;
    assert_eq!(parked.messages(), counts([("parked", 1)]));
    assert!(parked.log.contains("WARN") && parked.log.contains("m1"), "somebody should look: {}", parked.log);

    world.azure.service_bus.remove(TOPIC, "a", 1).unwrap();
    world.pass().await;
    assert_eq!(world.calls(DeleteGroup).last(), Some(&second), "once its message is gone, so is the record");
    assert_eq!(world.calls(PutGroup).len(), 2);
}

#[tokio::test]
async fn a_group_whose_provisioning_failed_long_ago_goes_although_its_message_is_parked() {
    let mut world = World::new(&["a"]).await;
    world.set("PROVISIONING_MAX_ATTEMPTS", "1");
    world.send("a", messages("m", 1));
    world.pass().await;
    let mut failed = world.group_of("m1");
    failed.json = in_state(failed.json, State::NotProvisioned);
    world.azure.resource_manager.container_groups().plant(failed.json.clone());
    let record = world.pass().await;
    assert_eq!(record.messages(), counts([("parked", 1)]));
    assert_eq!(world.calls(PatchGroup), [failed.name.as_str()], "it is dated");

    failed.json["tags"]["ended_since"] = json!("2026-01-05T10:00:00Z");
    world.azure.resource_manager.container_groups().plant(failed.json);
    let pass = world.pass().await;
    assert_eq!((pass.messages(), pass.groups()), (counts([("parked", 1)]), counts([("deleted", 1)])));
    assert_eq!(world.calls(DeleteGroup), [failed.name]);
}

#[tokio::test]
async fn a_running_group_whose_message_is_gone_is_marked_and_goes_when_it_has_been_for_long_enough() {
    let mut world = World::new(&["a"]).await;
    world.set("PROVISIONING_DELETE_ORPHANS", "true");
    world.send("a", messages("m", 2));
    world.pass().await;
    world.until_all_are_running().await;
    let orphan = world.group_of("m1").name;
    world.pass().await;
    assert_eq!(world.calls(PatchGroup), Vec::<String>::new(), "both messages can be peeked");

    world.azure.service_bus.remove(TOPIC, "a", 1).unwrap();
    world.pass().await;
    world.pass().await;
    assert_eq!(world.calls(PatchGroup), std::slice::from_ref(&orphan), "once");
    assert!(world.groups().iter().any(|group| group.name == orphan && group.tags.contains_key("orphaned_since")));
    assert_eq!(world.calls(DeleteGroup), Vec::<String>::new(), "not yet");

    world.set("PROVISIONING_ORPHAN_GRACE_MINUTES", "0");
    world.pass().await;
    assert_eq!(world.calls(DeleteGroup), [orphan]);
    assert_eq!(world.group_of("m2").runs, 1, "the other one is at work");
}

#[tokio::test]
async fn a_running_group_whose_message_is_gone_stays_unless_orphans_are_to_go() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    world.pass().await;
    world.until_all_are_running().await;
    world.azure.service_bus.remove(TOPIC, "a", 1).unwrap();
    for _ in 0..3 {
        assert_eq!(world.pass().await.report()["group_counts"], json!({"active": 1}));
    }
    assert_eq!(world.calls(PatchGroup).len() + world.calls(DeleteGroup).len(), 0);
}

#[tokio::test]
async fn when_an_image_is_broken_only_that_subscription_is_held_back() {
    let broken =
        |job: local_azure::container_groups::Job| async move { i32::from(job.environment["SUBSCRIPTION"] == "broken") };
    let mut world = World::with_worker(&["broken", "good"], broken).await;
    world.set("ACI_MAX_INSTANCES", "6");
    world.send("broken", messages("b", 50));
    for _ in 0..6 {
        world.pass().await;
        world.until_all_have_ended().await;
    }
    let of_broken = world.calls(PutGroup).len();
    assert!(of_broken <= 12, "at most twice the cap: {of_broken}");
    world.send("good", messages("g", 3));
    let pass = world.pass().await;
    assert_eq!(pass.messages()["created"], 3, "{pass:#?}");
    assert!(pass.messages()["held_by_breaker"] > 0, "{pass:#?}");
}
