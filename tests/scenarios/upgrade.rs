//! Groups that earlier versions created, after an update: they count, are tried again and are deleted as before.

mod fixture;
mod requests;

use std::collections::BTreeSet;

use local_azure::local::TOPIC;
use local_azure::resource_manager::OperationKind::{DeleteGroup, GetLogs, PatchGroup, PutGroup};
use serde_json::Value;
use test_support::group::State;
use time::Duration;

use crate::support::{World, counts, message};
use fixture::{Fixture, Group};

/// Longer than any back-off.
const LONG_AGO: Duration = Duration::hours(2);

#[tokio::test]
async fn running_groups_of_earlier_versions_hold_slots_of_the_cap_and_serve_their_messages() {
    for fixture in Fixture::all() {
        let mut world = fixture.world().await;
        let groups = fixture.attempt(1);
        world.set("ACI_MAX_INSTANCES", groups.len().to_string());
        fixture.send_all(&world);
        world.send(&fixture.messages[0].subscription, [message("one too many", 1)]);
        plant(&world, groups.iter().map(|group| group.shown(State::Running)));
        let pass = world.pass().await;
        let running = groups.len() as u64;
        assert_eq!(pass.messages(), counts([("running", running), ("waiting_capacity", 1)]), "{pass:#?}");
        assert_eq!(pass.groups(), counts([("active", running)]));
        assert_eq!(world.calls(PutGroup), [""; 0]);
        assert_eq!(world.calls(DeleteGroup), [""; 0]);
    }
}

#[tokio::test]
async fn finished_groups_of_earlier_versions_go_after_their_logs_once_their_messages_are_gone() {
    for fixture in Fixture::all() {
        let world = fixture.world().await;
        let groups = fixture.attempt(1);
        plant(&world, groups.iter().map(|group| group.shown(State::Ended { exit_code: 0, ago: Duration::minutes(1) })));
        let pass = world.pass().await;
        assert_eq!(pass.groups(), counts([("deleted", groups.len() as u64)]), "{pass:#?}");
        let names = names(&groups);
        assert_eq!(BTreeSet::from_iter(world.calls(DeleteGroup)), names);
        assert_eq!(BTreeSet::from_iter(world.calls(GetLogs)), names, "each has its log read");
        assert_eq!(world.groups().len(), 0);
    }
}

#[tokio::test]
async fn failed_groups_of_earlier_versions_go_too_once_their_messages_are_gone() {
    for fixture in Fixture::all() {
        let world = fixture.world().await;
        plant(&world, fixture.groups.iter().map(|group| group.shown(failed(LONG_AGO))));
        let pass = world.pass().await;
        assert_eq!(pass.groups(), counts([("deleted", fixture.groups.len() as u64)]), "{pass:#?}");
        assert_eq!(world.calls(PutGroup), [""; 0]);
    }
}

#[tokio::test]
async fn a_failed_group_of_an_earlier_version_has_its_message_back_off_and_then_get_the_second_attempt() {
    for fixture in Fixture::all() {
        let world = fixture.world().await;
        let groups = fixture.attempt(1);
        let messages = groups.len() as u64;
        fixture.send_all(&world);
        plant(&world, groups.iter().map(|group| group.shown(failed(Duration::ZERO))));
        let waiting = world.pass().await;
        assert_eq!(waiting.messages(), counts([("backing_off", messages)]), "{waiting:#?}");
        assert_eq!(waiting.groups(), counts([("record", messages)]));
        assert_eq!(world.calls(PutGroup).len() + world.calls(DeleteGroup).len(), 0);

        plant(&world, groups.iter().map(|group| group.shown(failed(LONG_AGO))));
        let due = world.pass().await;
        assert_eq!(due.messages(), counts([("created", messages)]), "{due:#?}");
        let seconds = world.calls(PutGroup);
        assert!(seconds.iter().all(|name| name.ends_with("-2")), "{seconds:?}");
        assert_eq!(world.calls(DeleteGroup), [""; 0], "the record stays until its successor has been seen");

        let followed = world.pass().await;
        assert_eq!(followed.groups(), counts([("active", messages), ("deleted", messages)]), "{followed:#?}");
        assert_eq!(BTreeSet::from_iter(world.calls(DeleteGroup)), names(&groups));
    }
}

#[tokio::test]
async fn a_message_that_was_parked_after_ten_attempts_stays_so_and_its_record_goes_with_it() {
    let fixture = Fixture::read("0.1/no-registry");
    let world = fixture.world().await;
    let [tenth] = fixture.attempt(10).try_into().ok().expect("there is one message with a tenth attempt");
    let message = &fixture.messages[0];
    world.send(&message.subscription, [message.outgoing()]);
    plant(&world, [tenth.shown(failed(LONG_AGO))]);
    let pass = world.pass().await;
    assert_eq!((pass.messages(), pass.groups()), (counts([("parked", 1)]), counts([("record", 1)])), "{pass:#?}");
    assert_eq!(world.calls(PutGroup).len() + world.calls(DeleteGroup).len(), 0);

    world.azure.service_bus.remove(TOPIC, &message.subscription, 1).unwrap();
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("deleted", 1)]), "{pass:#?}");
}

#[tokio::test]
async fn a_message_that_was_parked_after_ten_attempts_gets_the_eleventh_where_more_are_allowed() {
    let fixture = Fixture::read("0.1/no-registry");
    let mut world = fixture.world().await;
    world.set("PROVISIONING_MAX_ATTEMPTS", "11");
    let tenth = fixture.attempt(10)[0];
    world.send(&fixture.messages[0].subscription, [fixture.messages[0].outgoing()]);
    plant(&world, [tenth.shown(failed(LONG_AGO))]);
    assert_eq!(world.pass().await.messages(), counts([("created", 1)]));
    assert_eq!(world.calls(PutGroup), [tenth.name.replace("-10", "-11")]);
}

#[tokio::test]
async fn only_the_last_of_several_records_of_an_earlier_version_counts() {
    let fixture = Fixture::read("0.1/no-registry");
    let world = fixture.world().await;
    let message = &fixture.messages[0];
    world.send(&message.subscription, [message.outgoing()]);
    let records: Vec<_> =
        fixture.groups.iter().filter(|group| group.message_id() == message.id && group.attempt() <= 3).collect();
    plant(&world, records.iter().map(|group| group.shown(failed(LONG_AGO))));
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1)]), "{pass:#?}");
    assert_eq!(world.calls(PutGroup), [records[2].name.replace("-3", "-4")]);
    assert_eq!(BTreeSet::from_iter(world.calls(DeleteGroup)), names(&records[..2]), "they have successors");
}

#[tokio::test]
async fn since_when_an_earlier_version_has_seen_a_group_wait_counts() {
    let (mut world, group) = tagged("waiting").await;
    world.set("ACI_PROVISIONING_TIMEOUT_MINUTES", "1");
    plant(&world, [group.shown(State::Waiting)]);
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("deleted", 1)]), "{pass:#?}");
    assert_eq!(because(&pass.report()), ["stuck"]);
}

#[tokio::test]
async fn since_when_an_earlier_version_has_seen_a_group_ended_counts() {
    let (mut world, group) = tagged("ended").await;
    world.set("ACI_PROVISIONING_TIMEOUT_MINUTES", "1");
    world.set("PROVISIONING_MAX_ATTEMPTS", "1");
    plant(&world, [group.shown(State::NotProvisioned)]);
    let pass = world.pass().await;
    assert_eq!((pass.messages(), pass.groups()), (counts([("parked", 1)]), counts([("deleted", 1)])), "{pass:#?}");
    assert_eq!(world.calls(PatchGroup), [""; 0], "it has its date already");
}

#[tokio::test]
async fn since_when_an_earlier_version_has_seen_a_group_without_its_message_counts() {
    let (mut world, group) = tagged("orphaned").await;
    world.set("PROVISIONING_DELETE_ORPHANS", "true");
    world.set("PROVISIONING_ORPHAN_GRACE_MINUTES", "1");
    world.azure.service_bus.remove(TOPIC, group.tag("subscription_name").unwrap(), 1).unwrap();
    plant(&world, [group.shown(State::Running)]);
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("deleted", 1)]), "{pass:#?}");
    assert_eq!(because(&pass.report()), ["orphaned"]);
}

/// A world with a message, and its group with the tags that an earlier version added later.
async fn tagged(patch: &str) -> (World, Group) {
    let fixture = Fixture::read("0.1/no-registry");
    let world = fixture.world().await;
    let message = &fixture.messages[0];
    world.send(&message.subscription, [message.outgoing()]);
    let first = fixture.attempt(1)[0].clone();
    (world, first.patched(&format!("0.1/no-registry/patches/{patch}.json")))
}

/// The state of a group whose container failed this long ago.
fn failed(ago: Duration) -> State {
    State::Ended { exit_code: 1, ago }
}

fn plant(world: &World, groups: impl IntoIterator<Item = Value>) {
    for group in groups {
        world.azure.resource_manager.container_groups().plant(group);
    }
}

fn names(groups: &[&Group]) -> BTreeSet<String> {
    groups.iter().map(|group| group.name.clone()).collect()
}

/// Why each group was deleted.
fn because(report: &Value) -> Vec<&str> {
    report["groups"].as_array().unwrap().iter().filter_map(|group| group["because"].as_str()).collect()
}
