//! Workers that have a managed identity and no secret.

use std::ffi::OsString;

use local_azure::container_groups::{Exit, Phase};
use local_azure::local::{TOPIC, WORKERS_IDENTITY as IDENTITY};
use local_azure::program::Program;
use test_support::programs::python;

use crate::support::{World, counts, message, messages};

const IDENTITY_SDK: &str = "azure-identity==1.27.0";
const SERVICE_BUS_SDK: &str = "azure-servicebus==7.15.0";

/// What the local Azure and the scaler find in PATH.
fn path() -> OsString {
    OsString::from("/usr/local/bin:/usr/bin:/bin")
}

/// A world whose containers run the worker in Python that works as the group's identity.
async fn world() -> Option<World> {
    let python = python(&[IDENTITY_SDK, SERVICE_BUS_SDK])?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/worker_with_identity.py");
    let program = Program::find(&python, [OsString::from(script)], &path()).unwrap();
    let mut world = World::with_worker(&["a"], program).await;
    // The SDK's own memory is more than that of a small file.
    world.set("ACI_MIN_MEMORY_GB", "2");
    let namespace = world.azure.identity_environment().remove("INSTANCE_SERVICE_BUS_NAMESPACE").unwrap();
    world.set("INSTANCE_SERVICE_BUS_NAMESPACE", namespace);
    world.environment.remove("INSTANCE_SERVICE_BUS_CONNECTION_STRING");
    Some(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_serves_its_message_by_the_identity_of_its_group_alone() {
    let Some(mut world) = world().await else { return };
    world.set("ACI_IDENTITY", IDENTITY);
    world.send("a", [message("m1", 8)]);
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1)]), "{pass:#?}");
    world.until_all_have_ended().await;
    let group = world.group_of("m1");
    assert!(matches!(group.phase, Phase::Terminated { exit: Exit::Code(0), .. }), "{:#?}", group.log);
    assert_eq!(group.log, ["working on message m1, a file of 8 MB", "message m1 is settled"]);
    assert!(world.azure.service_bus.peek_all(TOPIC, "a").unwrap().is_empty());
    let names: Vec<_> = group.environment.keys().map(String::as_str).collect();
    assert_eq!(names, ["AZURE_CLIENT_ID", "SERVICE_BUS_NAMESPACE", "SUBSCRIPTION", "TOPIC"], "there is no secret");
    assert_eq!(world.pass().await.groups(), counts([("deleted", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_group_has_no_identity_gets_no_token() {
    let Some(world) = world().await else { return };
    world.send("a", [message("m1", 8)]);
    world.pass().await;
    world.until_all_have_ended().await;
    let group = world.group_of("m1");
    assert!(!matches!(group.phase, Phase::Terminated { exit: Exit::Code(0), .. }), "{:#?}", group.log);
    assert_eq!(world.azure.service_bus.peek_all(TOPIC, "a").unwrap().len(), 1);
}

#[tokio::test]
async fn an_identity_that_cannot_be_read_is_reported_and_no_group_is_created() {
    use local_azure::resource_manager::OperationKind::{GetIdentity, PutGroup};
    use local_azure::resource_manager::{Answer, Fault};
    let mut world = World::new(&["a"]).await;
    world.set("ACI_IDENTITY", IDENTITY);
    world.send("a", messages("m", 1));
    let action = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
    world.azure.resource_manager.inject(Fault::always(GetIdentity).answers(Answer::forbidden(action)));
    let pass = world.once().await;
    assert_eq!(pass.exit_code, 2, "{pass:#?}");
    assert!(pass.log.contains(action), "{}", pass.log);
    assert_eq!(world.calls_of(PutGroup), 0);
    world.azure.resource_manager.clear_faults();
    // If the worker has its client id in a variable, it need not ask for it.
    world.set("INSTANCE_AZURE_CLIENT_ID", "33333333-3333-3333-3333-333333333333");
    world.set("ACI_PLAIN_ENV", "AZURE_CLIENT_ID");
    world.azure.resource_manager.forget_calls();
    assert_eq!(world.pass().await.messages(), counts([("created", 1)]));
    assert_eq!(world.calls_of(GetIdentity), 0);
}
