//! A pass requests what the rules need, and nothing else.

use std::collections::BTreeMap;

use local_azure::container_groups::Exit;
use local_azure::resource_manager::OperationKind::{
    self, DeleteGroup, GetGroup, GetLogs, GetToken, GetTopic, ListGroups, ListTopicSubscriptions, PutGroup,
};
use local_azure::service_bus::{Call, SubscriptionConfig};

use crate::served::Served;
use crate::support::{World, message, messages};

/// The requests to Azure Resource Manager since the last call: how many of each kind, in the order of the kinds.
fn asked(world: &World) -> Vec<(OperationKind, usize)> {
    let mut counts = BTreeMap::<_, usize>::new();
    for call in world.azure.resource_manager.calls() {
        *counts.entry(call.kind).or_default() += 1;
    }
    world.azure.resource_manager.forget_calls();
    counts.into_iter().collect()
}

/// Connections, tokens, links to subscriptions and peeks since the last time.
fn asked_of_service_bus(world: &World) -> [usize; 4] {
    let calls = world.azure.service_bus.call_log();
    world.azure.service_bus.clear_call_log();
    let count = |of: fn(&Call) -> bool| calls.iter().filter(|call| of(call)).count();
    [
        count(|call| matches!(call, Call::Connect)),
        count(|call| matches!(call, Call::PutToken { .. })),
        count(|call| matches!(call, Call::Attach { address, .. } if address != "$cbs")),
        count(|call| matches!(call, Call::Peek { omit_body: true, .. })),
    ]
}

#[tokio::test]
async fn a_pass_asks_for_no_more_than_the_rules_need() {
    let world = World::new(&["a", "b"]).await;
    world.send("a", messages("m", 3));

    world.pass().await;
    let [groups, subscriptions] = [(ListGroups, 1), (ListTopicSubscriptions, 1)];
    // Each pass has its own process.
    let [topic, token] = [(GetTopic, 1), (GetToken, 1)];
    assert_eq!(asked(&world), [groups, (GetGroup, 3), (PutGroup, 3), subscriptions, topic, token]);
    assert_eq!(asked_of_service_bus(&world), [1, 1, 4, 3], "a page and the end of one, the end of the other");

    world.until_all_are_running().await;
    world.pass().await;
    assert_eq!(asked(&world), [groups, (GetGroup, 3), subscriptions, topic, token]);
    assert_eq!(asked_of_service_bus(&world), [1, 1, 4, 3]);

    world.finish_all(Exit::Code(0)).await;
    for sequence_number in 1..=3 {
        world.azure.service_bus.remove("files", "a", sequence_number).unwrap();
    }
    world.pass().await;
    // Each finished group is read twice: to see that it has finished, and right before its delete.
    assert_eq!(asked(&world), [groups, (GetGroup, 6), (DeleteGroup, 3), (GetLogs, 3), subscriptions, topic, token]);
    assert_eq!(asked_of_service_bus(&world), [1, 1, 4, 2]);
}

#[tokio::test]
async fn each_service_gets_a_slash_in_the_topic_s_name_as_it_spells_it() {
    let mut world = World::new(&[]).await;
    world.azure.service_bus.create_topic("teams/files").unwrap();
    world.azure.service_bus.create_subscription("teams/files", SubscriptionConfig::new("a")).unwrap();
    world.azure.service_bus.publish("teams/files", message("m", 1)).unwrap();
    world.set("SB_TOPIC_NAME", "teams/files");
    assert_eq!(world.pass().await.messages()["created"], 1);
}

#[tokio::test]
async fn the_passes_of_a_process_share_a_connection_and_its_links() {
    let world = World::new(&["a", "b"]).await;
    world.send("a", messages("m", 3));
    let scaler = Served::start(&world).await;
    for links in [[1, 1, 4, 3], [0, 1, 0, 3], [0, 1, 0, 3]] {
        scaler.pass().await;
        assert_eq!(asked_of_service_bus(&world), links);
    }
    assert_eq!(asked(&world).into_iter().find(|(kind, _)| *kind == GetTopic), Some((GetTopic, 1)), "once a process");
    world.azure.service_bus.drop_connections();
    for links in [[1, 1, 4, 3], [0, 1, 0, 3]] {
        scaler.pass().await;
        assert_eq!(asked_of_service_bus(&world), links);
    }
}
