//! A subscription in trouble: the others are served, and none of its groups is deleted or duplicated.

use std::time::Duration;

use local_azure::container_groups::Exit;
use local_azure::local::TOPIC;
use local_azure::resource_manager::OperationKind::{DeleteGroup, PutGroup};
use local_azure::service_bus::{Effect, Fault, Operation};

use crate::support::{World, counts, messages};

/// A world whose subscription `bad` has a finished group, a running one and a new message, and `good` a new message.
async fn world() -> World {
    let mut world = World::new(&["bad", "good"]).await;
    // A quarter of it is what one subscription gets.
    world.set("PASS_DEADLINE_SECONDS", "12");
    world.send("bad", messages("done", 1));
    world.send("bad", messages("running", 1));
    world.pass().await;
    let done = world.group_of("done1").name;
    world.azure.resource_manager.container_groups().finish(&done, Exit::Code(0));
    world.azure.service_bus.remove(TOPIC, "bad", 1).unwrap();
    world.send("bad", messages("bad", 1));
    world.send("good", messages("good", 1));
    world.azure.resource_manager.forget_calls();
    world
}

fn trouble(operation: Operation, effect: Effect) -> Fault {
    Fault::new(operation, effect).of_subscription(TOPIC, "bad")
}

/// Checks that the pass serves `good`, reports that `bad` is in trouble, and does nothing to `bad`'s groups.
async fn assert_only_good_is_served(world: &World, what: &str) {
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 2, "{what}: {pass:#?}");
    assert_eq!(pass.messages(), counts([("created", 1)]), "{what}: {pass:#?}");
    world.group_of("good1");
    assert_eq!(world.calls(DeleteGroup), Vec::<String>::new(), "{what}");
    assert_eq!(world.calls(PutGroup).len(), 1, "{what}");
    let report = pass.report();
    let bad = &report["subscriptions"].as_array().unwrap().iter().find(|of| of["name"] == "bad").unwrap()["error"];
    assert!(bad.is_string(), "{what}: {report:#}");
    let warned = pass.log.lines().any(|line| line.contains("WARN") && line.contains("bad"));
    assert!(warned, "{what}: {}", pass.log);
}

/// Checks that `bad` is served as before once the trouble is over.
async fn assert_recovers(world: &World, what: &str) {
    world.azure.service_bus.clear_faults();
    let pass = world.pass().await;
    assert_eq!(pass.messages()["created"], 1, "{what}: {pass:#?}");
    world.group_of("bad1");
    assert_eq!(world.calls(DeleteGroup).len(), 1, "{what}");
}

#[tokio::test]
async fn one_that_answers_with_an_error_leaves_the_others_working() {
    for (status, condition) in [
        (400, "amqp:not-allowed"),
        (401, "amqp:unauthorized-access"),
        (403, "com.microsoft:entity-disabled"),
        (404, "amqp:not-found"),
        (408, "com.microsoft:timeout"),
        (410, "com.microsoft:message-lock-lost"),
        (500, "amqp:internal-error"),
    ] {
        let world = world().await;
        world.azure.service_bus.inject(trouble(Operation::Peek, Effect::refuse(status, condition)));
        assert_only_good_is_served(&world, condition).await;
        assert_recovers(&world, condition).await;
    }
}

#[tokio::test]
async fn one_that_answers_garbage_leaves_the_others_working() {
    for effect in [Effect::UndecodableReply, Effect::DropConnection] {
        let world = world().await;
        world.azure.service_bus.inject(trouble(Operation::Peek, effect.clone()));
        assert_only_good_is_served(&world, &format!("{effect:?}")).await;
        assert_recovers(&world, &format!("{effect:?}")).await;
    }
}

#[tokio::test]
async fn a_message_that_is_cut_short_is_invalid_and_hides_no_other() {
    let world = world().await;
    world.azure.service_bus.inject(trouble(Operation::Peek, Effect::TruncatedMessages));
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1), ("invalid", 1), ("running", 1)]));
    assert!(pass.reasons("invalid")["bad1"].contains("could not be decoded"), "{pass:#?}");
}

#[tokio::test]
async fn one_that_never_answers_leaves_the_others_working() {
    for effect in [Effect::Hang, Effect::WrongCorrelationId, Effect::Delay(Duration::from_secs(30))] {
        let world = world().await;
        world.azure.service_bus.inject(trouble(Operation::Peek, effect.clone()));
        assert_only_good_is_served(&world, &format!("{effect:?}")).await;
        assert_recovers(&world, &format!("{effect:?}")).await;
    }
}

#[tokio::test]
async fn one_whose_link_is_refused_or_hangs_leaves_the_others_working() {
    for effect in [Effect::refuse(404, "amqp:not-found"), Effect::Hang, Effect::DropConnection] {
        let world = world().await;
        world.azure.service_bus.inject(trouble(Operation::Attach, effect.clone()));
        assert_only_good_is_served(&world, &format!("{effect:?}")).await;
        assert_recovers(&world, &format!("{effect:?}")).await;
    }
}

#[tokio::test]
async fn one_that_fails_after_its_first_page_is_served_as_far_as_it_was_read() {
    let mut world = World::new(&["bad"]).await;
    world.set("PROVISIONING_PEEK_MAX", "5");
    world.send("bad", messages("m", 5));
    world.pass().await;
    world.send("bad", messages("n", 5));
    // The second page begins after the first one. What was created shows that the second one failed.
    world.azure.service_bus.inject(trouble(Operation::Peek, Effect::RepeatFirstPage));
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 2, "{pass:#?}");
    assert_eq!(pass.messages(), counts([("running", 5)]));
}

#[tokio::test]
async fn a_link_or_a_connection_that_is_lost_once_costs_nothing() {
    let detached = Effect::DetachLink { condition: "amqp:link:detach-forced".into(), description: "idle".into() };
    for effect in [detached, Effect::DropConnection, Effect::refuse(401, "amqp:unauthorized-access")] {
        let world = world().await;
        world.azure.service_bus.inject(trouble(Operation::Peek, effect.clone()).times(1));
        let pass = world.pass().await;
        assert_eq!(pass.messages()["created"], 2, "{effect:?}: {pass:#?}");
    }
}

#[tokio::test]
async fn when_the_namespace_is_busy_nothing_more_is_asked_of_it_and_the_pass_fails() {
    let world = world().await;
    world.azure.service_bus.clear_call_log();
    world.azure.service_bus.inject(Fault::new(Operation::Peek, Effect::server_busy()));
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 1, "{pass:#?}");
    assert!(pass.log.contains("ERROR") && pass.log.contains("Service Bus is busy"), "{}", pass.log);
    assert!(world.peeks().len() <= 2, "at most one for each subscription: {:?}", world.peeks());
    assert_eq!(world.calls(PutGroup).len() + world.calls(DeleteGroup).len(), 0);
}

#[tokio::test]
async fn a_wrong_key_fails_the_pass_and_says_so() {
    let mut world = world().await;
    let wrong = world.environment["SB_CONNECTION_STR"].replace("local-azure-key", "another-key");
    world.set("SB_CONNECTION_STR", wrong);
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 1, "{pass:#?}");
    assert!(pass.log.contains("refuses the scaler's credentials"), "{}", pass.log);
    assert!(!pass.log.contains("another-key"), "{}", pass.log);
}

#[tokio::test]
async fn nobody_listening_fails_the_pass_and_says_so() {
    let world = world().await;
    world.azure.service_bus.shutdown();
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 1, "{pass:#?}");
    assert!(pass.log.contains("no subscription could be peeked"), "{}", pass.log);
}

#[tokio::test]
async fn a_namespace_where_topic_tokens_open_no_subscription_is_read_all_the_same() {
    let mut config = local_azure::local::LocalAzureConfig::default();
    config.service_bus.topic_tokens_cover_subscriptions = false;
    let world = World::start(&["a", "b"], config).await;
    world.send("a", messages("a", 2));
    world.send("b", messages("b", 2));
    assert_eq!(world.pass().await.messages(), counts([("created", 4)]));
}
