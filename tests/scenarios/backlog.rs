//! Long subscriptions: no valid message waits behind served or invalid ones.

use local_azure::container_groups::{Exit, ExitsWhenTold};
use local_azure::service_bus::OutgoingMessage;

use crate::support::{World, counts, message, messages};

#[tokio::test]
async fn a_valid_message_does_not_wait_behind_five_thousand_invalid_ones() {
    let world = World::new(&["a"]).await;
    world.send("a", (0..5000).map(|n| OutgoingMessage::new().message_id(format!("bad{n}"))));
    world.send("a", [message("good", 128)]);
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1), ("invalid", 5000)]));
    world.group_of("good");
    assert_eq!(world.peeks().len(), 22, "twenty pages of 250, one of one message, and one that is empty");
}

#[tokio::test]
async fn a_new_message_does_not_wait_behind_five_thousand_served_ones() {
    let mut config = local_azure::local::LocalAzureConfig::default();
    config.resource_manager.container_groups.worker = std::sync::Arc::new(ExitsWhenTold::new(Exit::Code(0)));
    config.resource_manager.container_groups.max_groups = 10_000;
    config.resource_manager.container_groups.max_cores = 100_000;
    config.resource_manager.page_size = 1000;
    let mut world = World::start(&["a"], config).await;
    world.set("ACI_MAX_INSTANCES", "5000");
    let template = planted_groups(&world).await;
    // With the new message the cap is full, and 5,000 is the highest cap.
    world.send("a", messages("m", 4999));
    world.send("a", [message("new", 128)]);
    for number in 1..=4999 {
        let mut group = template.clone();
        group["name"] = format!("planted-{number}").into();
        group["tags"]["message_id"] = format!("m{number}").into();
        world.azure.resource_manager.container_groups().plant(group);
    }
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1), ("running", 4999)]));
    world.group_of("new");
}

/// What a planted group looks like: one that was really created, still pending.
async fn planted_groups(world: &World) -> serde_json::Value {
    world.send("a", messages("template", 1));
    world.pass().await;
    let mut json = world.group_of("template1").json;
    let groups = world.azure.resource_manager.container_groups();
    groups.finish(&world.groups()[0].name, Exit::Code(0));
    world.azure.service_bus.remove("files", "a", 1).unwrap();
    world.pass().await;
    json["properties"]["provisioningState"] = "Creating".into();
    json
}

#[tokio::test]
async fn peeking_ends_at_the_depth_that_is_set_and_the_report_says_so() {
    let mut world = World::new(&["a"]).await;
    world.set("PROVISIONING_PEEK_MAX", "50");
    world.set("PROVISIONING_PEEK_DEPTH", "120");
    world.send("a", (0..500).map(|n| OutgoingMessage::new().message_id(format!("bad{n}"))));
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("invalid", 120)]));
    assert_eq!(pass.report()["subscriptions"][0]["to_the_end"], false);
    assert_eq!(world.peeks(), [("a".to_owned(), 1), ("a".to_owned(), 51), ("a".to_owned(), 101)]);
}

#[tokio::test]
async fn a_page_that_is_shorter_than_asked_is_not_taken_for_the_last() {
    use local_azure::service_bus::{Effect, Fault, Operation};
    let world = World::new(&["a"]).await;
    world.azure.service_bus.inject(Fault::new(Operation::Peek, Effect::PageLimit(7)));
    world.send("a", messages("m", 50));
    assert_eq!(world.pass().await.messages(), counts([("created", 50)]));
}

#[tokio::test]
async fn the_backlog_is_the_service_s_count_although_a_full_cap_reads_one_page() {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_INSTANCES", "1");
    world.set("PROVISIONING_PEEK_MAX", "60");
    world.send("a", messages("m", 3015));
    world.pass().await;
    let sums = world.run(&["once"]).await.output;
    assert!(sums.contains("Messages: 1 running, 59 waiting capacity. Backlog: 60 of 3,015 read. "), "{sums}");
    let report = world.pass().await.report();
    assert_eq!(report["backlog"], serde_json::json!({"messages": 3015, "read": 60}));
    assert_eq!(report["subscriptions"][0]["active_messages"], 3015);
    assert_eq!(report["subscriptions"][0]["dead_letters"], 0);
}
