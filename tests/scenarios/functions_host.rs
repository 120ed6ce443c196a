//! The scaler's binary under a Functions host: the results of a timer's invocations.

use std::path::Path;
use std::time::Duration;

use local_azure::container_groups::Exit;
use local_azure::function_app::FunctionApp;
use local_azure::functions_host::variants::variants;
use local_azure::functions_host::{FunctionsHost, Level, Outcome};
use local_azure::resource_manager::OperationKind::{DeleteGroup, ListGroups, PutGroup};
use local_azure::resource_manager::{Answer, Fault};
use serde_json::json;

use crate::support::{PATIENCE, World, messages};

/// The scaler as a Function App on this world.
async fn start(world: &World) -> FunctionApp {
    let scaler = Path::new(env!("CARGO_BIN_EXE_aci-scaler"));
    FunctionApp::start(scaler, world.environment.clone(), |config| config).await.unwrap()
}

async fn invoke(host: &FunctionsHost) -> Outcome {
    host.invoke(&host.invocation("ScaleTimer").await.unwrap()).await
}

#[tokio::test]
async fn an_invocation_makes_a_pass_and_returns_its_report() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 3));
    let app = start(&world).await;
    let host = &app.host;
    let Outcome::Succeeded { return_value, logs } = invoke(host).await else { panic!("{:#?}", host.records().all()) };
    assert_eq!(return_value["message_counts"], json!({"created": 3}));
    assert_eq!(return_value["messages"].as_array().unwrap().len(), 3);
    assert_eq!(logs, [""; 0], "the host has it from the process's streams");
    let sums = host.records().find("Pass of ", PATIENCE).await.unwrap();
    assert!(sums.message.contains("3 created"), "{sums:?}");
    world.until_all_are_running().await;

    let Outcome::Succeeded { return_value, .. } = invoke(host).await else { panic!("{:#?}", host.records().all()) };
    assert_eq!(return_value["message_counts"], json!({"running": 3}));
    assert_eq!(return_value["messages"], json!([]), "what just runs is only counted");

    world.finish_all(Exit::Code(0)).await;
    for sequence_number in 1..=3 {
        world.azure.service_bus.remove("files", "a", sequence_number).unwrap();
    }
    let Outcome::Succeeded { return_value, .. } = invoke(host).await else { panic!("{:#?}", host.records().all()) };
    assert_eq!(return_value["group_counts"], json!({"deleted": 3}));
    app.host.stop().await;
}

#[tokio::test]
async fn every_form_of_an_invocation_makes_a_pass() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    let app = start(&world).await;
    let host = &app.host;
    let variants = variants();
    let first = variants[0].1.id.to_string();
    for (name, invocation) in variants {
        let outcome = host.invoke(&invocation).await;
        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{name}: {outcome:?}");
    }
    assert_eq!(world.calls(PutGroup).len(), 1);
    let created = host.records().find("created a container group", PATIENCE).await.unwrap();
    assert!(created.message.contains(&first), "every line names its invocation: {created:?}");
    app.host.stop().await;
}

#[tokio::test]
async fn a_pass_that_fails_is_a_failed_invocation_with_an_error_in_the_log_and_the_next_one_works() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    let app = start(&world).await;
    let host = &app.host;
    world.azure.resource_manager.inject(Fault::once(ListGroups).answers(Answer::forbidden("list")));
    let outcome = invoke(host).await;
    assert!(matches!(&outcome, Outcome::Failed { reason } if reason.contains("500")), "{outcome:?}");
    let failure = host.records().find("could not be listed", PATIENCE).await.unwrap();
    assert_eq!(failure.level, Level::Error, "{failure:?}");
    let outcome = invoke(host).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    app.host.stop().await;
}

#[tokio::test]
async fn of_two_invocations_at_once_one_leaves_the_work_to_the_other() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    let app = start(&world).await;
    let host = &app.host;
    world.azure.resource_manager.inject(Fault::always(PutGroup).delays(Duration::from_millis(500)));
    let (one, other) = tokio::join!(invoke(host), invoke(host));
    let reports: Vec<_> = [one, other]
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Succeeded { return_value, .. } => return_value,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(reports.iter().filter(|report| report.is_null()).count(), 1, "{reports:?}");
    host.records().find("already running", PATIENCE).await.unwrap();
    assert_eq!(world.calls(PutGroup).len(), 1);
    app.host.stop().await;
}

#[tokio::test]
async fn nothing_is_created_before_the_time_that_azure_named_and_cleaning_up_goes_on() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    let app = start(&world).await;
    invoke(&app.host).await;
    world.finish_all(Exit::Code(0)).await;
    world.azure.service_bus.remove("files", "a", 1).unwrap();
    world.send("a", messages("n", 1));
    let throttled = Answer::too_many_requests(Duration::from_mins(1));
    world.azure.resource_manager.inject(Fault::once(PutGroup).answers(throttled));
    world.azure.resource_manager.forget_calls();
    for pass in 1..=3 {
        let outcome = invoke(&app.host).await;
        let Outcome::Succeeded { return_value, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(return_value["message_counts"], json!({"waiting_quota": 1}), "pass {pass}");
        assert_eq!(world.calls(PutGroup).len(), 1, "pass {pass}");
    }
    assert_eq!(world.calls(DeleteGroup).len(), 1);
    app.host.stop().await;
}

#[tokio::test]
async fn with_wrong_settings_the_process_ends_with_64_and_says_all_that_is_wrong() {
    let mut world = World::new(&[]).await;
    world.set("ACI_MAX_INSTANCES", "many");
    world.set("SB_TOPIC_NAME", "");
    world.set("FUNCTIONS_CUSTOMHANDLER_PORT", "1");
    for command in [&[][..], &["serve"], &["once"], &["plan"], &["check"]] {
        let run = world.run(command).await;
        assert_eq!(run.exit_code, 64, "{command:?}: {run:#?}");
        let log = format!("{}{}", run.output, run.log);
        assert!(
            log.contains("ACI_MAX_INSTANCES=\"many\"") && log.contains("SB_TOPIC_NAME is not set"),
            "{command:?}: {log}"
        );
    }
    assert_eq!(world.azure.resource_manager.calls().len(), 0);
}

#[tokio::test]
async fn without_a_port_the_process_ends_with_64_and_names_the_variable() {
    let world = World::new(&[]).await;
    let run = world.run(&[]).await;
    assert_eq!(run.exit_code, 64, "{run:#?}");
    assert!(run.log.contains("FUNCTIONS_CUSTOMHANDLER_PORT is not set"), "{run:#?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let mut world = World::new(&[]).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    world.set("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
    let run = world.run(&[]).await;
    assert_eq!(run.exit_code, 1, "{run:#?}");
    let expected =
        format!("the scaler cannot serve: it cannot listen on port {port} of 127.0.0.1: Address already in use");
    assert!(run.log.contains(&expected), "{run:#?}");
}
