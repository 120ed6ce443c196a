//! A deployment in progress: the process of the old version and that of the new one make passes at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use local_azure::container_groups::{ContainerGroupsConfig, Exit, ExitsWhenTold};
use local_azure::local::LocalAzureConfig;
use local_azure::resource_manager::Fault;
use local_azure::resource_manager::OperationKind::{DeleteGroup, GetGroup, GetLogs, ListGroups, PatchGroup, PutGroup};
use serde_json::Value;

use crate::served::Served;
use crate::support::{World, messages};

const IMAGES: [&str; 2] = ["local/worker:old", "local/worker:new"];

#[tokio::test]
async fn two_scalers_with_different_images_give_every_message_one_group_and_take_each_away_once() {
    let world = slowly_starting_world(Duration::from_secs(1)).await;
    for (kind, millis) in [(GetGroup, 20), (PutGroup, 150), (DeleteGroup, 20)] {
        world.azure.resource_manager.inject(Fault::always(kind).delays(Duration::from_millis(millis)));
    }
    two_scalers_serve_each_message_once(world, 36, ["4", "1"]).await;
}

#[tokio::test]
async fn it_is_the_same_when_azure_takes_as_long_as_recorded() {
    // The shortest start of a group, by the conditions of the promises.
    let world = slowly_starting_world(Duration::from_secs(11)).await;
    for kind in [ListGroups, GetGroup, PutGroup, PatchGroup, DeleteGroup, GetLogs] {
        world.azure.resource_manager.inject(Fault::always(kind).takes_as_long_as_recorded());
    }
    two_scalers_serve_each_message_once(world, 12, ["12", "4"]).await;
}

/// The new process is slower, so it gets to groups that already run, and that did not exist when its pass began.
async fn two_scalers_serve_each_message_once(mut world: World, sent: usize, workers: [&str; 2]) {
    let cap = sent.min(12);
    world.set("ACI_MAX_INSTANCES", cap.to_string());
    world.send("a", messages("m", sent / 2));
    world.send("b", messages("n", sent / 2));
    let mut scalers = Vec::new();
    for (image, workers) in IMAGES.into_iter().zip(workers) {
        world.set("ACI_IMAGE", image);
        world.set("PROVISIONING_MAX_WORKERS", workers);
        scalers.push(Served::start(&world).await);
    }
    let [old, new] = scalers.try_into().ok().unwrap();

    let mut served = BTreeMap::new();
    while served.len() < sent {
        let before = served.len();
        let reports = tokio::join!(old.pass(), new.pass());
        assert_deletes_went_well(&reports.0);
        assert_deletes_went_well(&reports.1);
        world.until_all_are_running().await;
        assert!(world.groups().len() <= 2 * cap, "each keeps to the cap with what it can know");
        for group in world.groups() {
            world.serve(&group);
            assert_eq!(served.insert(group.name.clone(), group.image), None, "no group comes again");
        }
        assert!(served.len() > before, "there is progress");
    }
    tokio::join!(old.pass(), new.pass());
    assert_eq!(world.groups(), []);
    world.assert_each_had_one_group(sent);
    let images: BTreeSet<_> = served.values().map(String::as_str).collect();
    assert!(images.is_subset(&IMAGES.into()), "{images:?}");
    for name in served.keys() {
        let deleted = world.azure.resource_manager.calls().into_iter();
        let deleted = deleted.filter(|call| call.kind == DeleteGroup && call.name.as_ref() == Some(name));
        assert_eq!(deleted.filter(|call| call.status == Some(200)).count(), 1, "{name} was there to be deleted once");
    }
}

/// How long groups take to start. Azure does not change them before; that is longer than from a look-up to the end of its PUT.
async fn slowly_starting_world(pending: Duration) -> World {
    let container_groups = ContainerGroupsConfig {
        worker: Arc::new(ExitsWhenTold::new(Exit::Code(0))),
        pending,
        ..ContainerGroupsConfig::default()
    };
    let mut config = LocalAzureConfig::default();
    config.resource_manager.container_groups = container_groups;
    World::start(&["a", "b"], config).await
}

fn assert_deletes_went_well(report: &Value) {
    for trouble in ["delete_failed", "deleted_without_logs", "waiting_logs", "waiting_deadline"] {
        assert_eq!(report["group_counts"][trouble], Value::Null, "{report:#}");
    }
}
