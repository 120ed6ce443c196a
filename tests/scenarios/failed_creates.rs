//! Creates that Azure refuses, for any reason, for one message or for all.

use std::path::Path;

use local_azure::container_groups::Exit;
use local_azure::function_app::FunctionApp;
use local_azure::functions_host::Outcome;
use local_azure::resource_manager::OperationKind::{DeleteGroup, GetGroup, ListGroups, PutGroup};
use local_azure::resource_manager::{Answer, Fault, RateLimit};
use serde_json::Value;

use crate::support::{World, counts, messages, until};

/// The scaler as a Function App: what it remembers lasts from pass to pass.
async fn start(world: &World) -> FunctionApp {
    let scaler = Path::new(env!("CARGO_BIN_EXE_aci-scaler"));
    FunctionApp::start(scaler, world.environment.clone(), |config| config).await.unwrap()
}

/// Makes a pass, and returns how many messages have each outcome.
async fn pass(app: &FunctionApp) -> Value {
    let outcome = app.host.invoke(&app.host.invocation("ScaleTimer").await.unwrap()).await;
    let Outcome::Succeeded { mut return_value, .. } = outcome else { panic!("{:#?}", app.host.records().all()) };
    return_value["message_counts"].take()
}

#[tokio::test]
async fn a_message_whose_create_fails_for_whatever_reason_keeps_another_waiting_for_one_pass_at_most() {
    for (status, code) in [
        (409, "ContainerGroupTransitioning"),
        (409, "RegistryErrorResponse"),
        (409, "ReadOnlyDisabledSubscription"),
        (409, "ScopeLocked"),
        (403, "RequestDisallowedByAzure"),
        (400, "InaccessibleImage"),
    ] {
        let mut world = World::new(&["a"]).await;
        world.set("ACI_MAX_INSTANCES", "1");
        world.send("a", messages("m", 3));
        let refusal = Fault::always(PutGroup).of_message("m1").answers(Answer::error(status, code, "no"));
        world.azure.resource_manager.inject(refusal);
        let app = start(&world).await;
        let first = pass(&app).await;
        assert_eq!(first["failed"], 1, "{code}");
        if code == "ContainerGroupTransitioning" {
            assert_eq!(pass(&app).await["created"], 1, "{code}");
        } else {
            assert_eq!(first["created"], 1, "in the same pass: {code}");
        }
        assert_eq!(world.group_of("m2").tags["message_id"], "m2", "{code}");
        app.host.stop().await;
    }
}

#[tokio::test]
async fn a_message_whose_look_up_fails_yields_its_slot_as_well() {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_INSTANCES", "1");
    world.send("a", messages("m", 2));
    // The look-up before the create fails; Azure gives the same answer every time.
    let planned = world.run(&["plan", "--json"]).await.report();
    let named = planned["messages"].as_array().unwrap().iter().find_map(|message| message["group"].as_str());
    let name = named.unwrap().to_owned();
    let broken = Fault::always(GetGroup).named(name).answers(Answer::error(500, "InternalServerError", "no"));
    world.azure.resource_manager.inject(broken);
    let app = start(&world).await;
    assert_eq!(pass(&app).await["failed"], 1);
    assert_eq!(pass(&app).await["created"], 1);
    app.host.stop().await;
}

#[tokio::test]
async fn what_all_share_is_logged_once_and_costs_one_request_a_pass() {
    let mut world = World::new(&["a"]).await;
    world.set("PROVISIONING_MAX_WORKERS", "4");
    world.send("a", messages("m", 50));
    let refusal = Answer::error(409, "ReadOnlyDisabledSubscription", "the subscription is disabled");
    world.azure.resource_manager.inject(Fault::always(PutGroup).answers(refusal));
    let app = start(&world).await;
    pass(&app).await;
    let puts = world.calls_of(PutGroup);
    assert!((3..=4).contains(&puts), "{puts}");
    for more in 1..=2 {
        let counts = pass(&app).await;
        assert_eq!(world.calls_of(PutGroup), puts + more);
        assert_eq!(counts["failed"], 1, "{counts}");
    }
    let is_cause = |line: &str| line.contains("container groups were not created");
    let lines = || app.host.records().all().iter().filter(|record| is_cause(&record.message)).count();
    until("each pass has named the cause", || lines() >= 3).await;
    assert_eq!(lines(), 3, "once");

    world.azure.resource_manager.clear_faults();
    assert_eq!(pass(&app).await["created"], 1);
    assert!(pass(&app).await["created"].as_u64().unwrap() > 40, "all that were only held");
    app.host.stop().await;
}

#[tokio::test]
async fn refused_creates_leave_deletes_their_allowance() {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_INSTANCES", "300");
    world.send("a", messages("done", 20));
    world.pass().await;
    world.until_all_are_running().await;
    for group in world.groups() {
        world.serve(&group);
    }
    world.until_all_have_ended().await;
    world.send("a", messages("m", 200));
    // Each is refused for its own reason, so that only the allowance ends the creates.
    for number in 1..=200 {
        let refusal = Answer::error(400, &format!("Code{number}"), "no");
        let of_message = Fault::always(PutGroup).of_message(format!("m{number}"));
        world.azure.resource_manager.inject(of_message.answers(refusal));
    }
    world.azure.resource_manager.set_rate_limit(RateLimit { per_5_minutes: 100, per_hour: 300 });
    let pass = world.once().await;
    assert_eq!(pass.groups(), counts([("deleted", 20)]), "{}", pass.log);
    assert_eq!(world.calls_of(DeleteGroup), 20);
}

#[tokio::test]
async fn a_group_that_a_list_names_twice_counts_once() {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_INSTANCES", "2");
    world.send("a", messages("m", 1));
    world.pass().await;
    world.until_all_are_running().await;
    world.azure.resource_manager.inject(Fault::always(ListGroups).repeats_items());
    world.send("a", messages("n", 2));
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1), ("running", 1), ("waiting_capacity", 1)]));
    assert_eq!(pass.report()["capacity"]["active"], 1);
    world.finish_all(Exit::Code(0)).await;
}
