//! Policies that rewrite the tags of container groups.

use local_azure::container_groups::{Exit, TagChange, TagPolicy};
use local_azure::resource_manager::OperationKind::{DeleteGroup, PutGroup};

use crate::support::{World, counts, messages};

/// A world whose policies do this to the tags of every new group.
async fn under(changes: &[TagChange]) -> World {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_INSTANCES", "2");
    for change in changes {
        world.azure.resource_manager.container_groups().enforce(TagPolicy::new(change.clone()));
    }
    world
}

fn rewritten() -> TagChange {
    TagChange::Set { tag: "managed_by".into(), value: "finance".into() }
}

#[tokio::test]
async fn a_policy_that_rewrites_managed_by_changes_nothing() {
    let world = under(&[rewritten()]).await;
    world.send("a", messages("m", 3));
    assert_eq!(world.pass().await.messages(), counts([("created", 2), ("waiting_capacity", 1)]));
    world.until_all_are_running().await;
    for group in world.groups() {
        world.serve(&group);
    }
    world.until_all_have_ended().await;
    let pass = world.pass().await;
    assert_eq!((pass.messages(), pass.groups()), (counts([("created", 1)]), counts([("deleted", 2)])));
}

#[tokio::test]
async fn a_policy_that_takes_our_own_tag_changes_nothing_either() {
    let world = under(&[TagChange::Drop("aci_scaler".into())]).await;
    world.send("a", messages("m", 1));
    world.pass().await;
    world.until_all_are_running().await;
    world.serve(&world.group_of("m1"));
    world.until_all_have_ended().await;
    assert_eq!(world.pass().await.groups(), counts([("deleted", 1)]));
}

#[tokio::test]
async fn where_all_our_tags_are_rewritten_the_cap_holds_nothing_is_deleted_and_it_is_said_at_once() {
    let world = under(&[rewritten(), TagChange::Drop("aci_scaler".into())]).await;
    world.send("a", messages("m", 5));
    let first = world.once().await;
    assert!(first.log.contains("ERROR") && first.log.contains("Azure Policy"), "{}", first.log);
    for _ in 0..4 {
        world.once().await;
        world.until_all_are_running().await;
    }
    assert_eq!((world.groups().len(), world.calls(PutGroup).len()), (2, 2), "the cap");

    // The messages are settled while their containers run on: nothing is duplicated, and nothing deleted.
    world.finish_all(Exit::Code(1)).await;
    let pass = world.once().await;
    assert_eq!(pass.groups(), counts([("untagged", 2)]), "{pass:#?}");
    assert!(pass.log.contains("has rewritten tags"), "{}", pass.log);
    assert_eq!(pass.messages()["backing_off"], 2, "each is the record of its attempt");
    assert_eq!(world.calls(DeleteGroup), Vec::<String>::new());
}
