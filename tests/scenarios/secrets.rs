//! No secret is in any output, whatever is logged and whatever goes wrong.

use local_azure::resource_manager::OperationKind::{DeleteGroup, GetGroup, GetLogs, ListGroups, PutGroup};
use local_azure::resource_manager::{Answer, Fault};
use local_azure::service_bus::{Effect, Fault as BusFault, Operation};

use crate::support::{Pass, World, messages};

const CANARIES: [&str; 5] = ["local-azure-key", "canary-acr", "canary-api", "canary-listed", "canary-identity"];

/// What shows that a credential made from a secret was printed.
const CREDENTIALS: [&str; 5] = ["Bearer ey", "SharedAccessSignature sr=", "&sig=", "sig%3D", "X-IDENTITY-HEADER: "];

async fn world() -> World {
    let mut config = local_azure::local::LocalAzureConfig::default();
    config.resource_manager.identity.header = Some("canary-identity".to_owned());
    let mut world = World::start(&["a", "b"], config).await;
    for (name, value) in [
        ("RUST_LOG", "trace"),
        ("ACI_IMAGE", "acr.azurecr.io/worker:1"),
        ("ACR_SERVER", "acr.azurecr.io"),
        ("ACR_USERNAME", "puller"),
        ("ACR_PASSWORD", "canary-acr"),
        ("INSTANCE_API_KEY", "canary-api"),
        ("INSTANCE_LICENCE", "canary-listed"),
        ("ACI_PLAIN_ENV", "TOPIC"),
    ] {
        world.set(name, value);
    }
    world.send("a", messages("m", 2));
    world
}

fn assert_no_secret(run: &Pass, issued: &[String]) {
    let output = format!("{}\n{}", run.output, run.log);
    for secret in CANARIES.iter().chain(&CREDENTIALS) {
        let line = output.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} was printed");
    }
    for token in issued {
        assert!(!output.contains(token), "a token was printed");
    }
}

#[tokio::test]
async fn a_whole_life_of_groups_shows_no_secret_at_trace() {
    let world = world().await;
    for command in [&["check"][..], &["plan", "--json"], &["once", "--json"], &["once"], &["once", "--json"]] {
        let run = world.run(command).await;
        assert_eq!(run.exit_code, 0, "{command:?} {run:#?}");
        assert!(run.log.contains("DEBUG"), "it does log everything");
        assert_no_secret(&run, &world.azure.resource_manager.identity().issued());
    }
}

#[tokio::test]
async fn nothing_that_goes_wrong_shows_a_secret_at_trace() {
    for kind in [ListGroups, GetGroup, PutGroup, GetLogs, DeleteGroup] {
        for answer in [Answer::forbidden("that"), Answer::error(400, "Bad", "no"), Answer::garbage()] {
            let world = world().await;
            world.run(&["once"]).await;
            world.until_all_have_ended().await;
            world.azure.resource_manager.inject(Fault::always(kind).answers(answer));
            assert_no_secret(&world.run(&["once", "--json"]).await, &world.azure.resource_manager.identity().issued());
        }
    }
    for operation in [Operation::Connect, Operation::PutToken, Operation::Attach, Operation::Peek] {
        for effect in [Effect::refuse(401, "amqp:unauthorized-access"), Effect::DropConnection] {
            let world = world().await;
            world.azure.service_bus.inject(BusFault::new(operation, effect));
            assert_no_secret(&world.run(&["once", "--json"]).await, &world.azure.resource_manager.identity().issued());
        }
    }
}

#[tokio::test]
async fn a_refused_setting_shows_no_secret() {
    let mut world = world().await;
    world.set(
        "SB_CONNECTION_STR",
        "Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=canary-api;Nonsense=canary-acr",
    );
    world.set("ACR_PASSWORD", "canary-acr\nsecond line");
    world.set("ACI_IMAGE", "");
    let run = world.run(&["once"]).await;
    assert_eq!(run.exit_code, 64, "{run:#?}");
    assert_no_secret(&run, &[]);
}
