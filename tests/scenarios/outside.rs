//! Influences from outside: wrong clocks, somebody who deletes groups, a process that is suspended.

use std::time::Duration;

use local_azure::resource_manager::OperationKind::{DeleteGroup, PutGroup};
use local_azure::resource_manager::{Fault, Operations};
use rustix::process::Signal;
use serde_json::Value;

use crate::served::Served;
use crate::support::{World, counts, messages, until};

/// A world with a group that has run for this long, and in which groups may run for 10 minutes.
async fn running_for(age: Duration) -> World {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_RUNTIME_MINUTES", "10");
    world.send("a", messages("m", 1));
    world.pass().await;
    world.until_all_are_running().await;
    world.azure.resource_manager.container_groups().age(&world.group_of("m1").name, age);
    world
}

/// Shifts the dates of Azure's answers by this much.
fn azure_is_ahead(world: &World, seconds: i64) {
    let shifted = Fault::always(Operations::Any).shifts_date(time::Duration::seconds(seconds));
    world.azure.resource_manager.inject(shifted);
}

#[tokio::test]
async fn a_group_is_as_old_as_azures_clock_says() {
    let world = running_for(Duration::from_secs(550)).await;
    assert_eq!(world.pass().await.groups(), counts([("active", 1)]));
    azure_is_ahead(&world, 90);
    assert_eq!(world.pass().await.groups(), counts([("deleted", 1)]));
}

#[tokio::test]
async fn while_the_clock_and_azures_differ_nothing_goes_for_its_age_and_a_warning_says_so() {
    for ahead in [-3600, -180, 180, 3600] {
        let world = running_for(Duration::from_hours(3)).await;
        azure_is_ahead(&world, ahead);
        let pass = world.pass().await;
        assert_eq!(pass.groups(), counts([("active", 1)]), "{ahead}: {pass:#?}");
        assert!(pass.log.contains("this machine's clock and Azure's differ"), "{ahead}: {}", pass.log);
        assert_eq!(world.calls(DeleteGroup), Vec::<String>::new());
        world.azure.resource_manager.clear_faults();
        let pass = world.pass().await;
        assert_eq!(pass.groups(), counts([("deleted", 1)]), "{ahead}: {pass:#?}");
    }
}

fn outcomes(report: &Value) -> &Value {
    &report["message_counts"]
}

#[tokio::test]
async fn a_group_that_somebody_deletes_is_an_attempt_and_its_message_backs_off() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    let scaler = Served::start(&world).await;
    scaler.pass().await;
    world.until_all_are_running().await;
    let group = world.group_of("m1").name;
    assert_eq!(outcomes(&scaler.pass().await)["running"], 1);
    assert!(world.azure.resource_manager.container_groups().remove(&group));
    assert_eq!(outcomes(&scaler.pass().await)["backing_off"], 1);
    // Log lines may arrive late.
    until("a warning names the group and who may delete it", || {
        scaler.log().lines().any(|line| line.contains(&group) && line.contains("an Azure Policy"))
    })
    .await;
    assert_eq!(outcomes(&scaler.pass().await)["backing_off"], 1);
    assert_eq!(world.calls(PutGroup).len(), 1);
}

#[tokio::test]
async fn a_put_of_which_nothing_comes_is_an_attempt() {
    let world = World::new(&["a"]).await;
    world.azure.resource_manager.inject(Fault::always(PutGroup).pretends(202));
    world.send("a", messages("m", 1));
    let scaler = Served::start(&world).await;
    assert_eq!(outcomes(&scaler.pass().await)["created"], 1);
    assert_eq!(outcomes(&scaler.pass().await)["backing_off"], 1);
    assert_eq!(world.calls(PutGroup).len(), 1);
}

#[tokio::test]
async fn a_process_that_was_suspended_while_its_connections_and_tokens_ended_makes_an_ordinary_pass() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    let scaler = Served::start(&world).await;
    scaler.pass().await;
    scaler.signal(Signal::STOP);
    world.azure.service_bus.drop_connections();
    world.azure.resource_manager.identity().expire_all();
    world.send("a", messages("n", 1));
    let pass = scaler.begin_pass();
    scaler.signal(Signal::CONT);
    let local_azure::functions_host::Outcome::Succeeded { return_value, .. } = pass.await.unwrap() else {
        panic!("{}", scaler.log());
    };
    assert_eq!(outcomes(&return_value)["created"], 1, "{}", scaler.log());
    assert!(!scaler.log().contains("WARN"), "{}", scaler.log());
}
