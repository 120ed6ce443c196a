//! Azure Resource Manager that refuses, throttles, hangs or breaks: nothing is lost, nothing doubled, and what can still be
//! done is done.

use std::time::Duration;

use local_azure::container_groups::Exit;
use local_azure::identity::Identity as LocalIdentity;
use local_azure::resource_manager::OperationKind::{
    self, DeleteGroup, GetGroup, GetLogs, GetToken, ListGroups, ListTopicSubscriptions, PutGroup,
};
use local_azure::resource_manager::{Answer, Fault, Trigger};

use crate::served::Served;
use crate::support::{World, counts, messages};

const MINUTE: Duration = Duration::from_mins(1);

/// A world with a new message and a finished group.
async fn world() -> World {
    let mut world = World::new(&["a"]).await;
    // The least that can be set: what hangs is given up by then.
    world.set("PASS_DEADLINE_SECONDS", "10");
    world.send("a", messages("done", 1));
    world.pass().await;
    let done = world.group_of("done1").name;
    world.azure.resource_manager.container_groups().finish(&done, Exit::Code(0));
    world.azure.service_bus.remove("files", "a", 1).unwrap();
    world.send("a", messages("new", 1));
    world.azure.resource_manager.forget_calls();
    world
}

/// Everything that can go wrong with a request, but a hang.
fn troubles(kind: OperationKind) -> Vec<(&'static str, Fault)> {
    troubles_of(|| Fault::always(kind))
}

fn troubles_of(requests: impl Fn() -> Trigger) -> Vec<(&'static str, Fault)> {
    vec![
        ("401", requests().answers(Answer::unauthorized("InvalidAuthenticationToken", "no"))),
        ("403", requests().answers(Answer::forbidden("do that"))),
        ("404", requests().answers(Answer::error(404, "ResourceGroupNotFound", "gone"))),
        ("409", requests().answers(Answer::error(409, "ContainerGroupTransitioning", "wait"))),
        ("429", requests().answers(Answer::too_many_requests(MINUTE))),
        ("500", requests().answers(Answer::error(500, "InternalServerError", "oops"))),
        ("503", requests().answers(Answer::error(503, "ServiceUnavailable", "busy").retry_after(MINUTE))),
        ("reset", requests().resets()),
        ("truncated", requests().truncates()),
        ("garbage", requests().answers(Answer::garbage())),
    ]
}

async fn assert_recovers(world: &World, what: &str) {
    world.azure.resource_manager.clear_faults();
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 0, "{what}: {pass:#?}");
    world.until_all_are_running().await;
    assert_eq!(world.group_of("new1").runs, 1, "{what}");
    assert_eq!(world.groups().len(), 1, "{what}: the finished group is gone");
}

#[tokio::test]
async fn without_the_list_of_groups_or_of_subscriptions_nothing_is_done() {
    for kind in [ListGroups, ListTopicSubscriptions] {
        for (what, fault) in troubles(kind) {
            let world = world().await;
            world.azure.resource_manager.inject(fault);
            let pass = world.once().await;
            assert_eq!(pass.exit_code, 1, "{kind:?} {what}: {pass:#?}");
            assert!(pass.log.contains("could not be listed"), "{kind:?} {what}: {}", pass.log);
            assert_eq!(world.calls(PutGroup).len() + world.calls(DeleteGroup).len(), 0, "{kind:?} {what}");
            let asked = world.azure.resource_manager.calls().iter().filter(|call| call.kind == kind).count();
            assert!(asked <= 3, "{kind:?} {what}: asked {asked} times");
            assert_recovers(&world, what).await;
        }
    }
}

#[tokio::test]
async fn a_group_whose_state_cannot_be_read_holds_its_slot_and_stays() {
    for (what, fault) in troubles(GetGroup) {
        let mut world = world().await;
        world.set("ACI_MAX_INSTANCES", "1");
        world.azure.resource_manager.inject(fault);
        let pass = world.once().await;
        assert_eq!(pass.exit_code, 2, "{what}: {pass:#?}");
        assert_eq!(pass.messages(), counts([("waiting_capacity", 1)]), "{what}");
        assert_eq!(pass.groups(), counts([("unread", 1)]), "{what}");
        assert_eq!(world.calls(DeleteGroup), Vec::<String>::new(), "{what}");
        world.set("ACI_MAX_INSTANCES", "10");
        assert_recovers(&world, what).await;
    }
}

#[tokio::test]
async fn a_group_that_cannot_be_looked_up_is_not_created() {
    let world_to_be = world().await;
    let planned = world_to_be.run(&["plan", "--json"]).await.report();
    let new = planned["messages"][0]["group"].as_str().unwrap();
    for (what, fault) in troubles_of(|| Fault::always(GetGroup).named(new)) {
        let world = world().await;
        world.azure.resource_manager.inject(fault);
        let pass = world.once().await;
        assert_eq!(pass.messages().get("created"), None, "{what}: {pass:#?}");
        assert_eq!(world.calls(PutGroup), Vec::<String>::new(), "{what}");
        assert_recovers(&world, what).await;
    }
}

#[tokio::test]
async fn a_create_that_fails_is_tried_once_and_cleaning_up_goes_on() {
    for (what, fault) in troubles(PutGroup) {
        let world = world().await;
        world.azure.resource_manager.inject(fault);
        let pass = world.once().await;
        let waits = what == "429";
        // Only the status counts: what the body of a success says is not needed.
        let done = matches!(what, "garbage");
        if !done {
            assert_eq!(pass.exit_code, if waits { 0 } else { 2 }, "{what}: {pass:#?}");
        }
        assert_eq!(world.calls(PutGroup).len(), 1, "{what}: the next pass is the retry");
        assert_eq!(world.calls(DeleteGroup).len(), 1, "{what}: cleaning up goes on");
        assert_recovers(&world, what).await;
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_at_the_next_pass_and_not_doubled() {
    let world = world().await;
    world.azure.resource_manager.inject(Fault::once(PutGroup).after_effect().resets());
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 2, "{pass:#?}");
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("running", 1)]));
    assert_eq!(world.calls(PutGroup).len(), 1);
    world.until_all_are_running().await;
    assert_eq!(world.group_of("new1").runs, 1);
}

#[tokio::test]
async fn when_azure_has_no_room_the_messages_wait_and_that_is_no_failure() {
    for answer in [
        Answer::quota_reached(),
        Answer::service_unavailable(),
        Answer::too_many_requests(MINUTE),
        Answer::throttled(MINUTE),
    ] {
        let mut world = world().await;
        world.set("PROVISIONING_MAX_WORKERS", "1");
        world.send("a", messages("more", 20));
        world.azure.resource_manager.inject(Fault::always(PutGroup).answers(answer));
        let pass = world.once().await;
        assert_eq!(pass.exit_code, 0, "{pass:#?}");
        assert_eq!(pass.messages(), counts([("waiting_quota", 21)]));
        assert_eq!(world.calls(PutGroup).len(), 1, "no further group is asked for");
        assert_eq!(world.calls(DeleteGroup).len(), 1, "cleaning up goes on");
        world.azure.resource_manager.clear_faults();
        assert_eq!(world.pass().await.messages(), counts([("created", 21)]));
    }
}

#[tokio::test]
async fn creating_stops_while_azure_still_takes_some_deletes() {
    let mut config = local_azure::local::LocalAzureConfig::default();
    config.resource_manager.rate_limit.per_5_minutes = 30;
    let mut world = World::start(&["a"], config).await;
    world.set("PROVISIONING_MAX_WORKERS", "1");
    // So that finished groups go although nobody has settled their messages.
    world.set("PROVISIONING_RETRY_BACKOFF_SECONDS", "0");
    world.send("a", messages("m", 40));
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 25), ("waiting_quota", 15)]));
    world.until_all_have_ended().await;
    let again = world.once().await;
    assert!(again.groups()["deleted"] >= 4, "what is left goes to deletes: {again:#?}");
}

#[tokio::test]
async fn a_finished_group_stays_until_its_log_can_be_read() {
    for (what, fault) in troubles(GetLogs) {
        let world = world().await;
        world.azure.resource_manager.inject(fault);
        let pass = world.once().await;
        // A log that is not there will not come back.
        if what == "404" {
            assert_eq!(pass.groups(), counts([("deleted", 1)]), "{what}: {pass:#?}");
            continue;
        }
        let (exit_code, outcome) = if what == "429" { (0, "waiting_quota") } else { (2, "waiting_logs") };
        assert_eq!(pass.exit_code, exit_code, "{what}: {pass:#?}");
        assert_eq!(pass.groups(), counts([(outcome, 1)]), "{what}");
        assert_eq!(world.calls(DeleteGroup), Vec::<String>::new(), "{what}");
        assert_recovers(&world, what).await;
    }
}

#[tokio::test]
async fn a_delete_that_fails_is_tried_again_at_the_next_pass() {
    for (what, fault) in troubles(DeleteGroup) {
        let world = world().await;
        world.azure.resource_manager.inject(fault);
        let pass = world.once().await;
        let (exit_code, outcome) = match what {
            // What a delete answers with does not matter.
            "garbage" => (0, "deleted"),
            "429" => (0, "waiting_quota"),
            _ => (2, "delete_failed"),
        };
        assert_eq!(pass.exit_code, exit_code, "{what}: {pass:#?}");
        assert_eq!(pass.groups(), counts([(outcome, 1)]), "{what}");
        assert_eq!(world.calls(DeleteGroup).len(), 1, "{what}: the next pass is the retry");
        world.azure.resource_manager.clear_faults();
        world.once().await;
        world.group_of("new1");
    }
}

#[tokio::test]
async fn whatever_hangs_the_pass_ends_by_its_deadline() {
    let hanging =
        [ListGroups, ListTopicSubscriptions, GetGroup, PutGroup, GetLogs, DeleteGroup].map(|kind| async move {
            let world = world().await;
            world.azure.resource_manager.inject(Fault::always(kind).hangs());
            let start = tokio::time::Instant::now();
            let pass = world.once().await;
            assert!(start.elapsed() < Duration::from_secs(15), "{kind:?} took {:?}", start.elapsed());
            assert_ne!(pass.exit_code, 0, "{kind:?}: {pass:#?}");
            assert!(world.calls(PutGroup).len() <= 1 && world.calls(DeleteGroup).len() <= 1, "{kind:?}");
            assert_recovers(&world, &format!("{kind:?}")).await;
        });
    futures_util::future::join_all(hanging).await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_within_the_pass() {
    for lose in [LocalIdentity::expire_all, |identity: &LocalIdentity| identity.revoke(None)] {
        let world = world().await;
        let served = Served::start(&world).await;
        served.pass().await;
        world.send("a", messages("more", 1));
        lose(world.azure.resource_manager.identity());
        world.azure.resource_manager.forget_calls();
        served.pass().await;
        assert_eq!(world.calls_of(GetToken), 1, "one for all requests that are refused at once");
    }
}

#[tokio::test]
async fn an_identity_endpoint_that_cannot_be_reached_is_no_refusal() {
    let mut world = world().await;
    // Nobody listens any more where somebody just did.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.set("IDENTITY_ENDPOINT", format!("http://{nobody}/msi/token"));
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 1, "{pass:#?}");
    assert!(pass.log.contains("no token for https://management.azure.com"), "{}", pass.log);
    assert!(pass.log.contains("Connection refused") && !pass.log.contains("refuses"), "{}", pass.log);
    assert!(!pass.log.contains("Os {"), "{}", pass.log);
}

#[tokio::test]
async fn throttling_and_a_quota_that_is_used_up_are_told_apart() {
    let quota = "Azure has no room for another container group (ContainerGroupQuotaReached): Resource type \
                 'Microsoft.ContainerInstance/containerGroups' container group quota 'StandardCores' exceeded in region \
                 'westeurope'. Limit: '10', Usage: '10' Requested: '1'.";
    let throttled = "Azure is throttling requests (TooManyRequests), for 60 s";
    for (answer, reason) in [(Answer::quota_reached(), quota), (Answer::too_many_requests(MINUTE), throttled)] {
        let world = world().await;
        world.azure.resource_manager.inject(Fault::always(PutGroup).answers(answer));
        let pass = world.once().await;
        assert!(pass.log.contains(reason), "{}", pass.log);
    }
}

#[tokio::test]
async fn tokens_that_are_about_to_expire_are_not_asked_for_again_with_every_request() {
    for seconds in [240, 20] {
        let world = world().await;
        world.send("a", messages("more", 20));
        world.azure.resource_manager.identity().set_token_lifetime(Duration::from_secs(seconds));
        world.pass().await;
        assert_eq!(world.calls_of(GetToken), 1, "{seconds} s");
        assert!(world.calls(PutGroup).len() > 20, "{seconds} s");
    }
}

#[tokio::test]
async fn a_503_of_one_group_that_asks_to_be_left_alone_for_an_hour_stops_nothing_else() {
    let world = world().await;
    world.pass().await;
    world.until_all_are_running().await;
    let busy = world.group_of("new1").name;
    let answer = Answer::error(503, "ServiceUnavailable", "busy").retry_after(60 * MINUTE);
    world.azure.resource_manager.inject(Fault::always(GetGroup).named(&busy).answers(answer));
    world.azure.resource_manager.forget_calls();
    let served = Served::start(&world).await;
    for id in ["first", "second"] {
        world.send("a", messages(id, 1));
        let report = served.pass().await;
        assert_eq!(report["group_counts"]["unread"], 1, "{report:#}");
        assert_eq!(report["message_counts"]["created"], 1, "{report:#}");
    }
    let asked = world.calls(GetGroup).iter().filter(|name| **name == busy).count();
    assert_eq!(asked, 1, "it is left alone");
}

#[tokio::test]
async fn a_passing_error_of_a_read_costs_nothing() {
    for fault in [
        Fault::once(ListGroups).resets(),
        Fault::once(GetGroup).answers(Answer::error(502, "BadGateway", "")),
        // Some 10 s is what Azure asks for when an identity has used up its reads.
        Fault::once(ListTopicSubscriptions).answers(Answer::too_many_requests(Duration::from_secs(6))),
    ] {
        let world = world().await;
        world.azure.resource_manager.inject(fault);
        let pass = world.pass().await;
        assert_eq!(pass.messages(), counts([("created", 1)]));
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let mut config = local_azure::local::LocalAzureConfig::default();
    config.resource_manager.page_size = 2;
    config.resource_manager.topic_page_size = 1;
    let worker = local_azure::container_groups::ExitsWhenTold::new(Exit::Code(0));
    config.resource_manager.container_groups.worker = std::sync::Arc::new(worker);
    let world = World::start(&["a", "b", "c"], config).await;
    for subscription in ["a", "b", "c"] {
        world.send(subscription, messages(subscription, 3));
    }
    assert_eq!(world.pass().await.messages(), counts([("created", 9)]));
    assert_eq!(world.pass().await.messages(), counts([("running", 9)]));
}

#[tokio::test]
async fn a_link_to_another_origin_is_not_followed_and_gets_no_token() {
    let world = world().await;
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}/next?api-version=2023-05-01", elsewhere.local_addr().unwrap());
    let page = Answer::json(200, &serde_json::json!({"value": [], "nextLink": link}));
    world.azure.resource_manager.inject(Fault::once(ListGroups).answers(page));
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 1, "{pass:#?}");
    assert!(pass.log.contains("another origin"), "{}", pass.log);
    let visit = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(visit.is_err(), "nobody came");
    assert_recovers(&world, "a link to another origin").await;
}
