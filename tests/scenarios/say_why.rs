//! The commands that say why: of one message, of all, and of the scaler itself.

use std::collections::BTreeMap;

use local_azure::resource_manager::OperationKind::{DeleteGroup, PatchGroup, PutGroup};
use local_azure::resource_manager::{Fault, OperationKind};
use serde_json::Value;
use tokio::time::Instant;

use crate::support::{World, message, messages};

#[tokio::test]
async fn a_message_is_found_however_deep_it_is() {
    let mut world = World::new(&["a"]).await;
    world.set("ACI_MAX_INSTANCES", "1");
    world.set("PROVISIONING_PEEK_MAX", "10");
    world.set("PROVISIONING_PEEK_DEPTH", "10");
    world.send("a", messages("m", 700));
    world.send("a", [message("deep", 500)]);
    let explained = world.run(&["explain", "deep"]).await;
    assert_eq!(explained.exit_code, 0, "{explained:#?}");
    for words in
        ["Message deep of a", "700 older messages", "500 MiB", "4 GB", "not_read", "It has no container group."]
    {
        assert!(explained.output.contains(words), "{words}: {explained:#?}");
    }
    let unknown = world.run(&["explain", "nobody"]).await;
    assert_eq!(unknown.exit_code, 1, "{unknown:#?}");
    assert!(unknown.output.contains("No message with the id nobody is in the 1 subscriptions"), "{unknown:#?}");
    assert_eq!(world.calls(PutGroup).len() + world.calls(DeleteGroup).len() + world.calls(PatchGroup).len(), 0);
}

#[tokio::test]
async fn the_plan_is_a_table_that_can_be_filtered() {
    let mut world = World::new(&["a", "b"]).await;
    world.set("ACI_MAX_INSTANCES", "1");
    world.send("a", messages("m", 3));
    world.send("b", messages("n", 1));
    let plan = world.run(&["plan"]).await;
    assert_eq!(plan.exit_code, 0, "{plan:#?}");
    assert!(plan.output.starts_with("SUBSCRIPTION  MESSAGE  AGE"), "{plan:#?}");
    assert_eq!(plan.output.lines().filter(|line| line.starts_with("a ")).count(), 3, "{plan:#?}");
    assert!(plan.output.contains("Backlog: 4 of 4 read."), "{plan:#?}");
    assert!(!plan.output.contains('\u{1b}'), "no colours: {plan:#?}");
    let rows = |arguments: &'static [&str]| {
        let world = &world;
        async move {
            let plan = world.run(&[&["plan", "--json"], arguments].concat()).await.report();
            let ids =
                plan["messages"].as_array().unwrap().iter().map(|of| of["message_id"].as_str().unwrap().to_owned());
            let mut ids: Vec<_> = ids.collect();
            ids.sort();
            ids
        }
    };
    assert_eq!(rows(&["--subscription", "B"]).await, ["n1"]);
    assert_eq!(rows(&["--message", "m2", "--message", "n1"]).await, ["m2", "n1"]);
    assert_eq!(rows(&["--outcome", "to_be_created"]).await, ["m1"]);
    let wrong = world.run(&["plan", "--outcome", "lost"]).await;
    assert_eq!(wrong.exit_code, 64, "{wrong:#?}");
}

#[tokio::test]
async fn check_ends_within_ten_seconds_whatever_does_not_answer() {
    let world = World::new(&["a"]).await;
    let hang = Fault::always(local_azure::resource_manager::Operations::Any).hangs();
    world.azure.resource_manager.inject(hang);
    world.azure.service_bus.inject(local_azure::service_bus::Fault::new(
        local_azure::service_bus::Operation::Connect,
        local_azure::service_bus::Effect::Hang,
    ));
    let start = Instant::now();
    let check = world.run(&["check", "--json"]).await;
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    assert_eq!(check.exit_code, 1, "{check:#?}");
    let findings: Vec<Value> = serde_json::from_str(&check.output).unwrap();
    let failure = |what: &str| findings.iter().find(|finding| finding["what"] == what).unwrap()["found"].clone();
    assert_eq!(failure("container groups"), "no answer within 8 s");
    assert_eq!(failure("subscriptions"), "no answer within 8 s");
}

#[tokio::test]
async fn check_measures_the_clock_against_azures() {
    let world = World::new(&["a"]).await;
    let off = Fault::always(local_azure::resource_manager::Operations::Any).shifts_date(time::Duration::hours(-1));
    world.azure.resource_manager.inject(off);
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 1, "{check:#?}");
    assert!(check.output.contains("failure  clock: this machine's is 36"), "{check:#?}");
}

/// What a person has in a shell of their own: a login, and where Azure is.
fn login(world: &World) -> BTreeMap<String, String> {
    let of_login = ["AZURE_RESOURCE_MANAGER_ENDPOINT", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"];
    of_login.map(|name| (name.to_owned(), world.environment[name].clone())).into()
}

#[tokio::test]
async fn the_settings_of_a_deployed_app_are_taken_from_there() {
    let mut world = World::new(&["a"]).await;
    world.send("a", messages("m", 2));
    let login = login(&world);
    let mut of_app = std::mem::replace(&mut world.environment, login);
    for name in world.environment.keys() {
        of_app.remove(name);
    }
    of_app.insert("AZURE_CLIENT_ID".to_owned(), "00000000-0000-0000-0000-00000000abcd".to_owned());
    of_app.insert("INSTANCE_KEY".to_owned(), "@Microsoft.KeyVault(SecretUri=https://v.example/s/key)".to_owned());
    world.azure.resource_manager.set_app_settings("my-scaler", of_app.clone());
    for command in [&["plan"][..], &["explain", "m2"], &["check"]] {
        let run = world.run(&[command, &["--from-app", "My-Scaler", "--app-group", "local"]].concat()).await;
        assert_eq!(run.exit_code, 0, "{command:?}: {run:#?}");
        assert!(run.log.contains("only the app knows the values of INSTANCE_KEY"), "{run:#?}");
    }
    let unknown = world.run(&["plan", "--from-app", "other", "--app-group", "local"]).await;
    assert_eq!(unknown.exit_code, 1, "{unknown:#?}");
    assert!(unknown.log.contains("the settings of other in local could not be read"), "{unknown:#?}");

    of_app.insert("SB_CONNECTION_STR".to_owned(), "@Microsoft.KeyVault(SecretUri=https://v.example/s/bus)".to_owned());
    of_app.remove("SB_NAMESPACE");
    world.azure.resource_manager.set_app_settings("my-scaler", of_app);
    let missing = world.run(&["plan", "--from-app", "my-scaler", "--app-group", "local"]).await;
    assert_eq!(missing.exit_code, 64, "{missing:#?}");
    assert!(missing.log.contains("SB_CONNECTION_STR is a Key Vault reference"), "{missing:#?}");
    let calls = world.azure.resource_manager.calls();
    assert!(
        calls.iter().all(|call| call.method == "GET" || call.kind == OperationKind::ListAppSettings),
        "it only reads"
    );
}
