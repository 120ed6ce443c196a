//! What a pass creates, leaves alone and deletes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use local_azure::container_groups::Exit;
use local_azure::resource_manager::Fault;
use local_azure::resource_manager::OperationKind::{DeleteGroup, GetGroup, GetLogs, PutGroup};
use local_azure::service_bus::OutgoingMessage;
use serde_json::json;
use test_support::group::{State, in_state};

use crate::support::{World, counts, message, messages};

#[tokio::test]
async fn every_message_of_four_subscriptions_gets_exactly_the_group_that_the_rules_say() {
    let mut world = World::new(&["1-50MB", "51-200MB", "201-600MB", "601-1GB", "skipped"]).await;
    world.set("SKIP_SUBSCRIPTIONS", "Skipped, other");
    world.set("ACI_DEFAULT_CPU", "1.5");
    world.set("INSTANCE_MODE", "fast");
    world.set("ACI_PLAIN_ENV", "MODE");
    for (subscription, first_size) in [("1-50MB", 1), ("51-200MB", 51), ("201-600MB", 201), ("601-1GB", 601)] {
        let sizes = (0..50).map(|n| message(format!("{subscription}-{n}"), first_size + n));
        world.send(subscription, sizes);
    }
    world.send("skipped", messages("skipped", 3));
    world.azure.resource_manager.inject(Fault::always(PutGroup).delays(Duration::from_millis(10)));

    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 200)]));
    assert_eq!(pass.report()["skipped_subscriptions"], json!(["skipped"]));
    assert_eq!(world.peeks().iter().filter(|(subscription, _)| subscription == "skipped").count(), 0);

    let groups = world.groups();
    assert_eq!(groups.len(), 200);
    for group in &groups {
        let size: u32 = group.tags["file_size_mb"].parse().unwrap();
        // Tenths of a GB for MiB × 8, rounded up, from 0.5 GB on.
        let tenths = (size * 80).div_ceil(1024).max(5);
        assert_eq!(format!("{:.1}", group.memory_gb), format!("{}.{}", tenths / 10, tenths % 10), "{group:?}");
        assert!((group.cpu - 1.5).abs() < f64::EPSILON);
        let subscription = group.tags["subscription_name"].as_str();
        let variable = |name: &str| (group.environment[name].value.as_str(), group.environment[name].secure);
        assert_eq!(variable("SUBSCRIPTION"), (subscription, false));
        assert_eq!(variable("MODE"), ("fast", false));
        assert!(variable("SERVICE_BUS_CONNECTION_STRING").1 && variable("TOPIC").1, "they are not listed");
        assert_eq!(group.environment.len(), 4, "and the topic: {:?}", group.environment);
        assert_eq!((group.tags["managed_by"].as_str(), group.tags["attempt"].as_str()), ("worker", "1"));
        assert_eq!(group.json["properties"]["restartPolicy"], "Never");
        assert_eq!(group.json["properties"]["osType"], "Linux");
        assert_eq!(group.json["properties"]["ipAddress"], json!(null));
    }
    let served: BTreeSet<_> =
        groups.iter().map(|group| (&group.tags["subscription_name"], &group.tags["message_id"])).collect();
    assert_eq!(served.len(), 200, "one group for each message");

    assert_eq!(world.pass().await.messages(), counts([("running", 200)]));
    assert_eq!(world.calls(PutGroup).len(), 200, "the second pass creates nothing");
    assert_eq!(world.azure.resource_manager.most_at_once(PutGroup), 16, "PROVISIONING_MAX_WORKERS creations at once");
}

#[tokio::test]
async fn there_are_never_more_active_groups_than_the_cap_and_the_slots_are_shared_out() {
    let mut world = World::new(&["a", "b", "c"]).await;
    world.set("ACI_MAX_INSTANCES", "7");
    world.send("a", messages("a", 40));
    world.send("b", messages("b", 40));
    world.send("c", messages("c", 1));
    for _ in 0..3 {
        world.pass().await;
        assert_eq!(world.groups().len(), 7);
    }
    let mut by_subscription = BTreeMap::new();
    for group in world.groups() {
        *by_subscription.entry(group.tags["subscription_name"].clone()).or_insert(0) += 1;
    }
    assert_eq!(by_subscription, BTreeMap::from([("a".into(), 3), ("b".into(), 3), ("c".into(), 1)]));
}

#[tokio::test]
async fn a_finished_group_is_deleted_after_its_log_was_read_and_logged() {
    let world = World::with_worker(&["a"], |job: local_azure::container_groups::Job| async move {
        for line in 1..=30 {
            job.log.line(format!("line {line}"));
        }
        0
    })
    .await;
    world.send("a", messages("m", 1));
    world.pass().await;
    let name = world.group_of("m1").name;
    world.azure.service_bus.remove("files", "a", 1).unwrap();
    world.until_all_have_ended().await;

    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("deleted", 1)]));
    let events: Vec<_> = pass.log.lines().filter(|line| line.contains("last_lines=")).collect();
    assert_eq!(events.len(), 1, "{}", pass.log);
    let expected = (11..=30).map(|number| format!("line {number}")).collect::<Vec<_>>().join(" | ");
    assert!(events[0].contains(&expected) && !events[0].contains("line 10"), "{events:?}");
    assert!(events[0].contains(&name) && events[0].contains("message_id=\"m1\""), "it says whose they are: {events:?}");
    assert_eq!(world.groups().len(), 0);

    let order: Vec<_> = world.azure.resource_manager.calls().into_iter().map(|call| call.kind).collect();
    let position = |kind| order.iter().position(|other| *other == kind).unwrap();
    assert!(position(GetLogs) < position(DeleteGroup), "{order:?}");
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_for_what_is_on_this_machine() {
    let mut world = World::new(&["a"]).await;
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        // Nothing listens there.
        world.set(name, "http://127.0.0.1:1");
    }
    world.send("a", messages("m", 1));
    assert_eq!(world.pass().await.messages(), counts([("created", 1)]));
}

#[tokio::test]
async fn finished_groups_hold_no_slot_and_go_even_when_the_cap_is_full() {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_INSTANCES", "2");
    world.send("a", messages("m", 3));
    world.pass().await;
    let done = world.group_of("m1").name;
    world.azure.service_bus.remove("files", "a", 1).unwrap();
    world.azure.resource_manager.container_groups().finish(&done, Exit::Code(0));

    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1), ("running", 1)]));
    assert_eq!(world.calls(DeleteGroup), [done]);
}

#[tokio::test]
async fn a_group_that_is_to_be_kept_and_those_of_others_are_never_deleted() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 2));
    world.pass().await;
    let groups = world.azure.resource_manager.container_groups();
    let mut kept = in_state(world.group_of("m1").json, State::EndedSometime);
    kept["name"] = json!("kept");
    kept["tags"]["keep"] = json!("true");
    let mut foreign = kept.clone();
    foreign["name"] = json!("foreign");
    foreign["tags"] = json!({"managed_by": "somebody-else", "message_id": "m3"});
    groups.plant(kept);
    groups.plant(foreign);
    // A group of somebody else that Microsoft's own crate cannot read.
    let data = include_str!("../local-azure/tests/data/aci/list-200-foreign-loganalytics.json");
    let page: serde_json::Value = serde_json::from_str(data).unwrap();
    groups.plant(page["body"]["value"][0].clone());
    world.azure.resource_manager.forget_calls();

    world.send("a", [message("m3", 128)]);
    let pass = world.pass().await;
    assert_eq!(
        pass.messages(),
        counts([("created", 1), ("running", 2)]),
        "the group of somebody else serves nobody here"
    );
    assert_eq!(pass.groups(), counts([("active", 2), ("kept", 1)]));
    assert_eq!(world.calls(DeleteGroup), Vec::<String>::new());
    assert!(!world.calls(GetGroup).contains(&"foreign".to_owned()));
}

#[tokio::test]
async fn two_passes_at_once_double_nothing() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 20));
    let (one, other) = tokio::join!(world.once(), world.once());
    for pass in [&one, &other] {
        assert_eq!(pass.report()["messages"].as_array().unwrap().len(), 20, "{pass:#?}");
    }
    world.until_all_are_running().await;
    let groups = world.groups();
    assert_eq!(groups.len(), 20);
    assert!(groups.iter().all(|group| group.runs == 1), "none was started twice");
}

#[tokio::test]
async fn the_request_for_a_group_is_the_same_byte_for_byte_at_every_pass() {
    let mut world = World::new(&["a"]).await;
    world.set("PROVISIONING_RETRY_BACKOFF_SECONDS", "0");
    world.send("a", messages("m", 1));
    world.pass().await;
    let name = world.group_of("m1").name;
    world.finish_all(Exit::Code(1)).await;
    world.pass().await;
    world.pass().await;
    let bodies: Vec<_> =
        world.azure.resource_manager.calls().into_iter().filter(|call| call.kind == PutGroup).collect();
    assert_eq!(bodies.len(), 2, "its message was still there, so it was served again");
    assert_eq!(bodies[0].body, bodies[1].body);
    assert_eq!(world.group_of("m1").name, name);
}

#[tokio::test]
async fn a_message_of_every_kind_of_id_gets_a_group_of_its_own() {
    use local_azure::service_bus::Value;
    let world = World::new(&["a"]).await;
    let uuid = [0x5e, 0x1a, 0x46, 0x4d, 0x9d, 0x69, 0x4e, 0x74, 0x87, 0x1b, 0x47, 0x4b, 0xdc, 0x31, 0xda, 0x20];
    let ids = [
        Value::from("text/with:odd äöü characters"),
        Value::from(77_u64),
        Value::Uuid(uuid.into()),
        Value::Binary(vec![0xde, 0xad].into()),
    ];
    world.send("a", ids.map(|id| OutgoingMessage::new().message_id(id).property("file_size_mb", 10)));
    assert_eq!(world.pass().await.messages(), counts([("created", 4)]));
    for id in ["text/with:odd äöü characters", "77", "5e1a464d-9d69-4e74-871b-474bdc31da20", "dead"] {
        world.group_of(id);
    }
    assert_eq!(world.pass().await.messages(), counts([("running", 4)]), "and is known again by it");
}

#[tokio::test]
async fn registry_credentials_go_with_every_group() {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_IMAGE", "acr.azurecr.io/worker:1");
    world.set("ACR_SERVER", "acr.azurecr.io");
    world.set("ACR_USERNAME", "puller");
    world.set("ACR_PASSWORD", "canary-password");
    world.send("a", messages("m", 1));
    world.pass().await;
    let put = world.azure.resource_manager.calls().into_iter().find(|call| call.kind == PutGroup).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&put.body).unwrap();
    let expected = json!([{"server": "acr.azurecr.io", "username": "puller", "password": "canary-password"}]);
    assert_eq!(body["properties"]["imageRegistryCredentials"], expected);
}
