//! How container groups live, and fail to.

use local_azure::container_groups::{Behaviour, Exit, ExitsWhenTold, Job, Phase, Rule};
use local_azure::resource_manager::ResourceManagerConfig;
use serde_json::json;

use crate::support::{Azure, DEADLINE, config, group, group_with};

#[tokio::test]
async fn a_worker_gets_what_was_asked_for_and_its_exit_code_is_the_container_s() {
    let azure = Azure::with_worker(|job: Job| async move {
        job.log.line(format!("{} {} {} {} GB", job.group, job.container, job.image, job.memory_gb));
        3
    })
    .await;
    azure.put("w-1", &group()).await;
    let ended = azure.until_terminated("w-1").await;
    assert_eq!(ended.log, ["w-1 worker acr.azurecr.io/worker:1.4.2 1.5 GB"]);
    assert!(matches!(ended.phase, Phase::Terminated { exit: Exit::Code(3), .. }), "{ended:?}");
    assert_eq!(azure.show("w-1").await.body["properties"]["instanceView"]["state"], "Failed");
}

#[tokio::test]
async fn a_worker_runs_until_it_is_told_to_exit() {
    let worker = ExitsWhenTold::new(Exit::OutOfMemory);
    let azure = Azure::with_worker(worker.clone()).await;
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    worker.tell();
    let ended = azure.until_terminated("w-1").await;
    assert!(matches!(ended.phase, Phase::Terminated { exit: Exit::OutOfMemory, .. }), "{ended:?}");
}

#[tokio::test]
async fn a_worker_that_panics_ends_its_container_and_nothing_else() {
    let azure = Azure::with_worker(|job: Job| async move {
        assert_ne!(job.group, "w-1");
        0
    })
    .await;
    for name in ["w-1", "w-2"] {
        azure.put(name, &group()).await;
    }
    assert!(matches!(azure.until_terminated("w-1").await.phase, Phase::Terminated { exit: Exit::Code(101), .. }));
    assert!(matches!(azure.until_terminated("w-2").await.phase, Phase::Terminated { exit: Exit::Code(0), .. }));
}

#[tokio::test]
async fn deleting_a_group_ends_its_run() {
    let (dropped, mut gone) = tokio::sync::mpsc::channel::<()>(1);
    let azure = Azure::with_worker(move |_: Job| {
        let dropped = dropped.clone();
        async move {
            dropped.closed().await;
            0
        }
    })
    .await;
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    azure.delete("w-1").await;
    // Only the worker itself still holds a sender besides the run, which must be gone.
    tokio::time::timeout(DEADLINE, async {
        while gone.sender_strong_count() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(gone.try_recv().is_err());
}

#[tokio::test]
async fn a_group_that_is_still_being_made_is_left_alone() {
    let mut slow = config(ExitsWhenTold::new(Exit::Code(0)));
    slow.pending = DEADLINE;
    let azure = Azure::with(ResourceManagerConfig { container_groups: slow, ..Default::default() }).await;
    azure.put("w-1", &group()).await;
    assert_eq!(azure.put("w-1", &group()).await.code(), (409, "ContainerGroupTransitioning"));
    assert_eq!(azure.delete("w-1").await.code(), (409, "ContainerGroupTransitioning"));
    assert_eq!(azure.manager.container_groups().groups().len(), 1);
}

#[tokio::test]
async fn a_test_can_end_a_run() {
    let azure = Azure::with_worker(ExitsWhenTold::new(Exit::Code(0))).await;
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    assert!(azure.manager.container_groups().finish("w-1", 7));
    assert!(!azure.manager.container_groups().finish("w-2", 7));
    let state = azure.show("w-1").await.body["properties"]["containers"][0]["properties"]["instanceView"].clone();
    assert_eq!(state["currentState"]["exitCode"], 7);
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_keeps_its_group_waiting_and_deletable() {
    let azure = Azure::start().await;
    azure
        .manager
        .container_groups()
        .inject(Rule::always(Behaviour::ImagePullFails, |group| group.image.ends_with("nope")));
    azure
        .put("w-1", &group_with("/properties/containers/0/properties/image", json!("acr.azurecr.io/worker:nope")))
        .await;
    azure.put("w-2", &group()).await;
    azure.until("w-1", |phase| phase == Phase::ImagePullBackOff).await;
    azure.until_terminated("w-2").await;
    let shown = azure.show("w-1").await.body;
    assert_eq!(shown["properties"]["provisioningState"], "Creating");
    assert_eq!(azure.manager.container_groups().runs("w-1"), 0);
    assert_eq!(azure.delete("w-1").await.status, 200);
}

#[tokio::test]
async fn capacity_can_run_out_after_the_put_was_accepted() {
    let azure = Azure::start().await;
    azure
        .manager
        .container_groups()
        .inject(Rule::times(1, Behaviour::CapacityFails, |group| group.tags["message_id"] == "m1"));
    let put = azure.put("w-1", &group()).await;
    assert_eq!(put.status, 201);
    azure.until("w-1", |phase| phase == Phase::NoCapacity).await;
    assert_eq!(azure.show("w-1").await.body["properties"]["provisioningState"], "Failed");
    assert_eq!(azure.get(put.header("azure-asyncoperation")).await.body["status"], "Failed");
    azure.put("w-1", &group()).await;
    azure.until_terminated("w-1").await;
}

#[tokio::test]
async fn a_container_can_exit_or_hang_without_a_worker() {
    let azure = Azure::with_worker(|_: Job| async { unreachable!() as i32 }).await;
    let groups = azure.manager.container_groups();
    groups.inject(Rule::always(Behaviour::Exits(Exit::OutOfMemory), |group| group.name == "w-1"));
    groups.inject(Rule::always(Behaviour::Hangs, |group| group.name == "w-2"));
    groups.inject(Rule::always(Behaviour::StaysPending, |group| group.name == "w-3"));
    for name in ["w-1", "w-2", "w-3"] {
        azure.put(name, &group()).await;
    }
    azure.until_terminated("w-1").await;
    azure.until_running("w-2").await;
    azure.until("w-3", |phase| phase == Phase::Pending).await;
    assert_eq!(["w-1", "w-2", "w-3"].map(|name| groups.runs(name)), [1, 1, 0]);
}
