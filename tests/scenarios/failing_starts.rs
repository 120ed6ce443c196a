//! Groups that do not start, and states that Azure has for groups that run.

use std::time::Duration;

use local_azure::clock;
use local_azure::container_groups::{Behaviour, Rule};
use local_azure::resource_manager::OperationKind::{DeleteGroup, GetLogs, PatchGroup};
use local_azure::resource_manager::{Answer, Fault};

use serde_json::json;
use test_support::group::{State, in_state};
use time::format_description::well_known::Rfc3339;

use crate::support::{World, counts, messages};

/// A world in which every group does this.
async fn where_groups(behaviour: Behaviour) -> World {
    let world = World::new(&["a"]).await;
    world.azure.resource_manager.container_groups().inject(Rule::always(behaviour, |_| true));
    world.send("a", messages("m", 1));
    world.pass().await;
    world
}

/// Makes the only group older.
fn age(world: &World, minutes: u64) {
    let name = world.group_of("m1").name;
    assert!(world.azure.resource_manager.container_groups().age(&name, Duration::from_mins(minutes)));
}

#[tokio::test]
async fn a_failing_image_pull_is_reported_in_azures_words_and_counts_after_five_minutes() {
    let world = where_groups(Behaviour::ImagePullFails).await;
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("start_failing", 1)]), "{pass:#?}");
    assert!(pass.log.contains("ImagePullBackOff") && pass.log.contains("ailed to pull image"), "{}", pass.log);
    age(&world, 4);
    assert_eq!(world.pass().await.groups(), counts([("start_failing", 1)]));
    age(&world, 2);
    assert_eq!(world.pass().await.groups(), counts([("deleted", 1)]));
}

/// A group of message 1 whose image Azure began to pull this many minutes ago.
async fn pulling(world: &World, minutes: i64) {
    world.send("a", messages("m", 1));
    world.pass().await;
    let mut group = in_state(world.group_of("m1").json, State::Waiting);
    let since = (clock::now() - time::Duration::minutes(minutes)).format(&Rfc3339).unwrap();
    let pulling =
        json!([{"name": "Pulling", "type": "Normal", "message": "pulling", "count": 1, "firstTimestamp": since}]);
    group["properties"]["containers"][0]["properties"]["instanceView"]["events"] = pulling;
    world.azure.resource_manager.container_groups().plant(group);
}

#[tokio::test]
async fn the_provisioning_time_out_holds_for_processes_of_one_pass_each_and_where_tags_cannot_be_changed() {
    for (minutes, deleted) in [(29, 0), (31, 1)] {
        let world = World::new(&["a"]).await;
        pulling(&world, minutes).await;
        let refusal = Answer::error(409, "ScopeLocked", "no");
        world.azure.resource_manager.inject(Fault::always(PatchGroup).answers(refusal));
        world.pass().await;
        assert_eq!(world.calls(DeleteGroup).len(), deleted, "{minutes}");
    }
}

#[tokio::test]
async fn a_process_that_makes_one_pass_tags_what_waits_at_first_sight() {
    let world = where_groups(Behaviour::StaysPending).await;
    world.pass().await;
    assert!(world.group_of("m1").tags.contains_key("waiting_since"));
}

#[tokio::test]
async fn a_group_that_azure_repairs_or_calls_unhealthy_is_what_its_containers_are() {
    for state in ["Repairing", "Unhealthy", "Updating", "Stopping", "SomethingNew"] {
        let world = World::new(&["a"]).await;
        world.send("a", messages("m", 1));
        world.pass().await;
        world.until_all_are_running().await;
        let group = world.group_of("m1");
        let groups = world.azure.resource_manager.container_groups();
        assert!(groups.set_provisioning_state(&group.name, Some(state)));
        assert_eq!(world.pass().await.groups(), counts([("active", 1)]), "{state}");
        assert_eq!(world.calls(GetLogs), Vec::<String>::new(), "{state}");
        world.serve(&group);
        world.until_all_have_ended().await;
        groups.set_provisioning_state(&group.name, Some(state));
        assert_eq!(world.pass().await.groups(), counts([("deleted", 1)]), "{state}");
    }
}
