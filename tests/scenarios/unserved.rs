//! Subscriptions from which no worker can receive, and what the scaler says about them.

use local_azure::local::TOPIC;
use local_azure::resource_manager::OperationKind::DeleteGroup;
use local_azure::service_bus::{Call, SubscriptionConfig, SubscriptionStatus};

use crate::served::Served;
use crate::support::{World, counts, messages};

type Change = fn(&mut SubscriptionConfig);

/// A change to a subscription, and the reason that the scaler gives.
const KINDS: [(Change, &str); 3] = [
    (|config| config.status = SubscriptionStatus::Disabled, "it is disabled"),
    (|config| config.status = SubscriptionStatus::ReceiveDisabled, "receiving from it is disabled"),
    (|config| config.forward_to = Some("archive".to_owned()), "it forwards its messages to archive"),
];

/// A world in which `bad` can no longer be served, after one of its two groups has finished and its message is gone, and
/// `good` has a new message.
async fn world(change: Change) -> World {
    let world = World::new(&["bad", "good"]).await;
    world.send("bad", messages("bad", 2));
    world.pass().await;
    world.until_all_are_running().await;
    world.serve(&world.group_of("bad1"));
    world.send("bad", messages("new", 1));
    world.send("good", messages("good", 1));
    world.azure.service_bus.configure(TOPIC, "bad", change).unwrap();
    world.azure.service_bus.clear_call_log();
    world
}

#[tokio::test]
async fn each_is_named_with_its_reason_and_is_not_peeked_and_its_groups_stay() {
    for (change, reason) in KINDS {
        let world = world(change).await;
        let pass = world.pass().await;
        assert_eq!(pass.messages(), counts([("created", 1)]), "{reason}");
        assert_eq!(pass.groups(), counts([("active", 1), ("message_unknown", 1)]), "{reason}");
        let report = pass.report();
        assert_eq!(report["unserved_subscriptions"][0]["name"], "bad", "{report:#}");
        assert_eq!(report["unserved_subscriptions"][0]["reason"], reason, "{report:#}");
        assert_eq!(report["unserved_subscriptions"][0]["active_messages"], 2, "{report:#}");
        let lines = pass
            .log
            .lines()
            .filter(|line| line.contains("is not served") && line.contains("subscription=\"bad\""))
            .collect::<Vec<_>>();
        assert!(lines.len() == 1 && lines[0].contains("WARN") && lines[0].contains(reason), "{}", pass.log);
        assert!(world.peeks().iter().all(|(name, _)| name == "good"), "{reason}: {:?}", world.peeks());
        assert_eq!(world.calls(DeleteGroup), Vec::<String>::new(), "{reason}");

        let check = world.run(&["check"]).await;
        assert_eq!(check.exit_code, 0, "{check:#?}");
        let line = format!("warning  subscription bad: {reason}, 2 messages and 0 dead letters.");
        assert!(check.output.contains(&line), "{check:#?}");
        assert!(check.output.contains("ok       subscription good: it can be peeked, "), "{check:#?}");
    }
}

#[tokio::test]
async fn one_that_can_be_served_again_is_served_as_if_nothing_had_been() {
    for (change, reason) in KINDS {
        let world = world(change).await;
        world.pass().await;
        let back =
            |config: &mut SubscriptionConfig| (config.status, config.forward_to) = (SubscriptionStatus::Active, None);
        world.azure.service_bus.configure(TOPIC, "bad", back).unwrap();
        world.until_all_are_running_or_have_ended().await;
        let pass = world.pass().await;
        assert_eq!(pass.messages(), counts([("created", 1), ("running", 2)]), "{reason}");
        assert_eq!(world.calls(DeleteGroup).len(), 1, "{reason}");
    }
}

#[tokio::test]
async fn none_costs_a_connection() {
    for (change, reason) in KINDS {
        let world = world(change).await;
        let scaler = Served::start(&world).await;
        for _ in 0..4 {
            scaler.pass().await;
        }
        let connects = world.azure.service_bus.call_log().into_iter().filter(|call| *call == Call::Connect).count();
        assert_eq!(connects, 1, "{reason}");
    }
}

#[tokio::test]
async fn a_topic_of_which_nothing_can_be_served_is_no_failure() {
    for (change, reason) in KINDS {
        let world = World::new(&["a"]).await;
        world.azure.service_bus.configure(TOPIC, "a", change).unwrap();
        assert_eq!(world.pass().await.report()["unserved_subscriptions"][0]["reason"], reason);
    }
}

#[tokio::test]
async fn where_sessions_are_required_only_a_look_at_its_own_number_proves_that_a_message_is_gone() {
    let world = World::new(&["a"]).await;
    world.azure.service_bus.configure(TOPIC, "a", |config| config.requires_session = true).unwrap();
    world.send("a", messages("m", 3));
    assert_eq!(world.pass().await.messages(), counts([("created", 3)]));
    world.until_all_are_running().await;
    world.serve(&world.group_of("m2"));
    world.until_all_are_running_or_have_ended().await;
    world.azure.service_bus.clear_call_log();
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("active", 2), ("deleted", 1)]));
    assert!(world.peeks().contains(&("a".to_owned(), 2)), "{:?}", world.peeks());
    assert_eq!(pass.report()["subscriptions"][0]["to_the_end"], true);
}

#[tokio::test]
async fn one_that_is_skipped_on_purpose_is_not_warned_of() {
    let mut world = world(KINDS[0].0).await;
    world.set("SKIP_SUBSCRIPTIONS", "bad");
    let pass = world.pass().await;
    assert!(!pass.log.contains("is not served"), "{}", pass.log);
}
