//! No output has a secret, whatever is logged and whatever fails.

use local_azure::resource_manager::OperationKind::{DeleteGroup, GetGroup, GetLogs, ListGroups, PutGroup};
use local_azure::resource_manager::{Answer, Fault};
use local_azure::service_bus::{Effect, Fault as BusFault, Operation};

use crate::support::{Pass, World, messages};

const CANARIES: [&str; 8] = [
    "local-azure-key",
    "canary-acr",
    "canary-api",
    "canary-listed",
    "canary-identity",
    "canary-template",
    "canary-override",
    "canary-workspace",
];

/// A template with secrets at every place that may have one.
const TEMPLATE: &str = r#"{"properties": {
    "volumes": [
        {"name": "key", "secret": {"file": "canary-template"}},
        {"name": "share", "azureFile": {"shareName": "s", "storageAccountName": "a", "storageAccountKey": "canary-template"}}
    ],
    "imageRegistryCredentials": [{"server": "example.com", "username": "u", "password": "canary-template"}],
    "initContainers": [{"name": "fetch", "properties": {"image": "i", "command": ["canary-template"]}}],
    "extensions": [{"name": "e", "properties": {"extensionType": "e", "version": "1", "protectedSettings": {"key": "canary-template"}}}],
    "containers": [{"name": "worker", "properties": {"environmentVariables": [{"name": "A", "secureValue": "canary-template"}]}}]
}}"#;

const OVERRIDES: &str =
    r#"{"b": {"template": {"properties": {"volumes": [{"name": "k", "secret": {"f": "canary-override"}}]}}}}"#;

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
        ("ACI_LOG_ANALYTICS_WORKSPACE_ID", "00000000-0000-0000-0000-000000000001"),
        ("ACI_LOG_ANALYTICS_WORKSPACE_KEY", "canary-workspace"),
        ("ACI_GROUP_TEMPLATE", TEMPLATE),
        ("ACI_SUBSCRIPTION_OVERRIDES", OVERRIDES),
    ] {
        world.set(name, value);
    }
    world.send("a", messages("m", 2));
    world.send("b", messages("n", 1));
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
    world.set("ACI_LOG_ANALYTICS_WORKSPACE_KEY", "canary-workspace\nsecond line");
    world.set("ACI_GROUP_TEMPLATE", TEMPLATE.replace("secureValue", "secretValue"));
    world.set("ACI_SUBSCRIPTION_OVERRIDES", r#"{"a": {"image": "canary-override:", "template": "canary-template"}}"#);
    let run = world.run(&["once"]).await;
    assert_eq!(run.exit_code, 64, "{run:#?}");
    assert_no_secret(&run, &[]);
}
