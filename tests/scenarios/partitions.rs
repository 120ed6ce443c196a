//! Topics that are divided among brokers: all messages are found, no attempt is forgotten, and no running group is lost.

use local_azure::container_groups::{Exit, ExitsAtOnce};
use local_azure::local::TOPIC;
use local_azure::resource_manager::OperationKind::{DeleteGroup, GetTopic, PatchGroup, PutGroup};
use local_azure::resource_manager::{Answer, Fault};
use local_azure::service_bus::{Partitioning, PeekOrder};
use tokio::time::Instant;

use crate::served::Served;
use crate::support::{PATIENCE, World, counts, messages};

const ORDERS: [PeekOrder; 4] =
    [PeekOrder::FirstBroker, PeekOrder::OnePartitionAPage, PeekOrder::Interleaved, PeekOrder::Unsorted];

fn divide(world: &World, ids: &[u16], order: PeekOrder) {
    let partitioning = Partitioning { ids: ids.to_vec(), order };
    world.azure.service_bus.set_partitioning(TOPIC, Some(partitioning)).unwrap();
}

/// The sequence number of a message.
fn number_of(world: &World, id: &str) -> i64 {
    let stored = world.azure.service_bus.peek_all(TOPIC, "a").unwrap();
    stored.iter().find(|message| message.message_id.as_deref() == Some(id)).unwrap().sequence_number
}

#[tokio::test]
async fn all_of_400_messages_are_found_whatever_the_pages_have() {
    for order in ORDERS {
        let mut world = World::new(&["a"]).await;
        world.set("ACI_MAX_INSTANCES", "1000");
        divide(&world, &[0, 3, 7, 38], order);
        world.send("a", messages("m", 400));
        let plan = world.run(&["plan", "--json"]).await;
        assert_eq!(plan.messages(), counts([("to_be_created", 400)]), "{order:?}");
        assert_eq!(plan.report()["subscriptions"][0]["to_the_end"], true, "{order:?}");
    }
}

#[tokio::test]
async fn twenty_passes_forget_no_attempt_and_start_no_container_twice() {
    for order in ORDERS {
        let mut world = World::with_worker(&["a"], ExitsAtOnce(Exit::Code(1))).await;
        world.set("ACI_MAX_INSTANCES", "4");
        divide(&world, &[0, 3, 7, 38], order);
        world.send("a", messages("m", 4));
        world.azure.service_bus.publish(TOPIC, local_azure::service_bus::OutgoingMessage::new()).unwrap();
        let scaler = Served::start(&world).await;
        for _ in 0..20 {
            scaler.pass().await;
            world.until_all_have_ended().await;
        }
        let puts = world.calls(PutGroup);
        assert!(puts.len() == 4 && puts.iter().all(|name| name.ends_with("-1")), "{order:?}: {puts:?}");
        assert_eq!(world.calls(DeleteGroup), Vec::<String>::new(), "{order:?}: each is the record of its attempt");
    }
}

#[tokio::test]
async fn messages_whose_containers_die_are_parked() {
    for order in ORDERS {
        let mut world = World::with_worker(&["a"], ExitsAtOnce(Exit::Code(1))).await;
        world.set("PROVISIONING_RETRY_BACKOFF_SECONDS", "1");
        world.set("PROVISIONING_MAX_ATTEMPTS", "2");
        divide(&world, &[0, 3, 7, 38], order);
        world.send("a", messages("m", 2));
        let deadline = Instant::now() + PATIENCE;
        let parked = loop {
            let pass = world.pass().await;
            world.until_all_have_ended().await;
            if pass.messages() == counts([("parked", 2)]) {
                break pass;
            }
            assert!(Instant::now() < deadline, "{order:?}: both are parked: {pass:#?}");
        };
        assert!(parked.log.contains("m1") && parked.log.contains("m2"), "{order:?}: {}", parked.log);
        let mut puts = world.calls(PutGroup);
        puts.sort();
        puts.dedup();
        assert_eq!(puts.len(), 4, "{order:?}: two attempts each: {puts:?}");
        assert_eq!(world.calls(PutGroup).len(), 4, "{order:?}");
    }
}

#[tokio::test]
async fn only_the_group_whose_message_is_not_at_its_own_number_is_an_orphan() {
    for order in ORDERS {
        let mut world = World::new(&["a"]).await;
        world.set("PROVISIONING_DELETE_ORPHANS", "true");
        world.set("PROVISIONING_ORPHAN_GRACE_MINUTES", "0");
        world.set("PROVISIONING_PEEK_MAX", "2");
        divide(&world, &[0, 3, 7, 38], order);
        world.send("a", messages("m", 8));
        world.pass().await;
        world.until_all_are_running().await;
        for _ in 0..3 {
            world.pass().await;
        }
        assert_eq!(world.calls(DeleteGroup).len() + world.calls(PatchGroup).len(), 0, "{order:?}");

        let orphan = world.group_of("m5").name;
        let number = number_of(&world, "m5");
        world.azure.service_bus.remove(TOPIC, "a", number).unwrap();
        world.pass().await;
        world.pass().await;
        assert_eq!(world.calls(DeleteGroup), [orphan], "{order:?}");
        assert!(world.peeks().contains(&("a".to_owned(), number)), "{order:?}");
        assert_eq!(world.groups().len(), 7, "{order:?}");
    }
}

#[tokio::test]
async fn a_finished_group_goes_once_its_message_is_not_at_its_own_number() {
    let world = World::new(&["a"]).await;
    divide(&world, &[7, 38], PeekOrder::FirstBroker);
    world.send("a", messages("m", 3));
    world.pass().await;
    world.until_all_are_running().await;
    let (group, number) = (world.group_of("m2"), number_of(&world, "m2"));
    assert!(number >= 1 << 48, "{number}");
    world.serve(&group);
    let deadline = Instant::now() + PATIENCE;
    while world.calls(DeleteGroup).is_empty() {
        assert!(Instant::now() < deadline, "it goes");
        world.pass().await;
    }
    assert_eq!(world.calls(DeleteGroup), [group.name]);
    assert!(world.peeks().contains(&("a".to_owned(), number)));
}

#[tokio::test]
async fn a_topic_that_cannot_be_asked_whether_it_is_partitioned_is_served_and_a_refusal_is_asked_for_once() {
    for (fault, asked) in [
        (Fault::always(GetTopic).answers(Answer::forbidden("read the topic")), 1),
        (Fault::always(GetTopic).answers(Answer::error(404, "ResourceNotFound", "There is no such topic.")), 1),
        (Fault::always(GetTopic).answers(Answer::garbage()), 3),
        (Fault::always(GetTopic).hangs(), 1),
    ] {
        let world = World::new(&["a"]).await;
        world.azure.resource_manager.inject(fault.clone());
        world.send("a", messages("m", 1));
        let scaler = Served::start(&world).await;
        let passes = if asked == 1 && format!("{fault:?}").contains("Hang") { 1 } else { 3 };
        for _ in 0..passes {
            scaler.pass().await;
        }
        assert_eq!(world.calls(PutGroup).len(), 1, "{fault:?}");
        let calls = world.azure.resource_manager.calls();
        assert_eq!(calls.iter().filter(|call| call.kind == GetTopic).count(), asked, "{fault:?}");
    }
}
