//! The lives of container groups, and how they fail.

use std::time::Duration;

use local_azure::clock;
use local_azure::container_groups::{Behaviour, Exit, ExitsWhenTold, Job, Phase, Rule, StartFailure};
use local_azure::resource_manager::ResourceManagerConfig;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::{API, Azure, DEADLINE, GROUPS, config, group, group_with, recorded, usages_path};

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
    // Besides the run, which must have ended, only the worker itself still holds a sender.
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

fn container(shown: &Value) -> &Value {
    &shown["properties"]["containers"][0]["properties"]["instanceView"]
}

#[tokio::test]
async fn a_stopped_group_is_shown_as_recorded() {
    let azure = Azure::with_worker(ExitsWhenTold::new(Exit::Code(0))).await;
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    let stop = format!("{GROUPS}/w-1/stop?{API}");
    assert_eq!(azure.send(reqwest::Method::POST, &stop, None).await.unwrap().status, 204);
    let shown = azure.show("w-1").await.body;
    assert_eq!(shown["properties"]["instanceView"]["state"], "Stopped");
    let state = &container(&shown)["currentState"];
    assert_eq!(state["state"], "Terminated");
    assert_eq!(state["detailStatus"], "Container stopped per client request");
    assert!(state["finishTime"].is_string() && state.get("exitCode").is_none(), "{state}");
}

#[tokio::test]
async fn a_group_that_was_killed_for_its_memory_is_shown_as_one() {
    let azure = Azure::start().await;
    azure.manager.container_groups().inject(Rule::times(1, Behaviour::Exits(Exit::OutOfMemory), |_| true));
    azure.put("w-1", &group()).await;
    azure.until_terminated("w-1").await;
    let (shown, recorded) = (azure.show("w-1").await.body, recorded("get-200-failed-oom")["body"].clone());
    for pointer in [
        "/properties/provisioningState",
        "/properties/instanceView/state",
        "/properties/containers/0/properties/instanceView/currentState/state",
        "/properties/containers/0/properties/instanceView/currentState/exitCode",
        "/properties/containers/0/properties/instanceView/currentState/detailStatus",
    ] {
        assert_eq!(shown.pointer(pointer), recorded.pointer(pointer), "{pointer}");
    }
}

#[tokio::test]
async fn a_running_group_can_be_shown_in_a_provisioning_state_of_the_platform_s() {
    let worker = ExitsWhenTold::new(Exit::Code(0));
    let azure = Azure::with_worker(worker.clone()).await;
    let groups = azure.manager.container_groups();
    groups.inject(Rule::times(1, Behaviour::Shows("Repairing".to_owned()), |_| true));
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    let states = async || {
        let listed = azure.get(&format!("{GROUPS}?{API}")).await.body["value"][0]["properties"].clone();
        let shown = azure.show("w-1").await.body["properties"].clone();
        assert_eq!(listed["provisioningState"], shown["provisioningState"]);
        (shown["provisioningState"].clone(), shown["instanceView"]["state"].clone())
    };
    assert_eq!(states().await, (json!("Repairing"), json!("Running")));
    for state in ["Unhealthy", "Updating", "Stopping"] {
        assert!(groups.set_provisioning_state("w-1", Some(state)));
        assert_eq!(states().await, (json!(state), json!("Running")));
    }
    worker.tell();
    azure.until_terminated("w-1").await;
    assert_eq!(states().await, (json!("Succeeded"), json!("Succeeded")), "the rule is for as long as the worker runs");
    groups.set_provisioning_state("w-1", Some("Repairing"));
    assert_eq!(states().await, (json!("Repairing"), json!("Succeeded")));
    groups.set_provisioning_state("w-1", None);
    assert_eq!(states().await, (json!("Succeeded"), json!("Succeeded")));
    assert!(!groups.set_provisioning_state("w-2", None));
}

#[tokio::test]
async fn a_container_that_cannot_start_says_why() {
    let azure = Azure::start().await;
    let groups = azure.manager.container_groups();
    groups.inject(Rule::times(1, Behaviour::ImagePullFails, |_| true));
    groups.inject(Rule::times(1, Behaviour::StartFails(StartFailure::RunContainerError), |_| true));
    groups.inject(Rule::times(1, Behaviour::StartFails(StartFailure::InvalidImageName), |_| true));
    let recorded = recorded("get-200-image-pull-failing")["body"].clone();
    let nope = group_with("/properties/containers/0/properties/image", json!("acr.azurecr.io/worker:nope"));
    for (name, reason) in [("w-1", "ImagePullBackOff"), ("w-2", "RunContainerError"), ("w-3", "InvalidImageName")] {
        azure.put(name, &nope).await;
        azure.until(name, |phase| matches!(phase, Phase::ImagePullBackOff | Phase::StartFails(_))).await;
        let shown = azure.show(name).await.body;
        assert_eq!(shown["properties"]["provisioningState"], "Creating");
        let view = container(&shown);
        assert_eq!(view["currentState"], json!({ "state": "Waiting", "detailStatus": reason }));
        let failed = |event: &&Value| event["name"] == "Failed" && event["type"] == "Warning";
        assert!(view["events"].as_array().unwrap().iter().any(|event| failed(&event)), "{view}");
        if name == "w-1" {
            let texts = |view: &Value| -> Vec<Value> {
                view["events"].as_array().unwrap().iter().map(|event| event["message"].clone()).collect()
            };
            assert_eq!(texts(view), texts(container(&recorded)));
        }
    }
    assert_eq!(groups.runs("w-1"), 0);
}

#[tokio::test]
async fn events_of_a_starting_container_have_times_and_can_be_made_older() {
    let azure = Azure::start().await;
    let groups = azure.manager.container_groups();
    groups.inject(Rule::always(Behaviour::PullsFor(DEADLINE), |_| true));
    azure.put("w-1", &group()).await;
    azure.until("w-1", |phase| phase == Phase::Pulling).await;
    let age = async || {
        let shown = azure.show("w-1").await.body;
        let event = &container(&shown)["events"][0];
        assert_eq!(
            (&event["name"], container(&shown)["currentState"]["state"].as_str()),
            (&json!("Pulling"), Some("Waiting"))
        );
        let time = event["firstTimestamp"].as_str().unwrap();
        assert_eq!(time.len(), "2026-01-05T10:15:07Z".len(), "{time}");
        clock::now() - OffsetDateTime::parse(time, &Rfc3339).unwrap()
    };
    assert!(age().await < time::Duration::minutes(1));
    assert!(groups.age("w-1", Duration::from_mins(10)));
    let aged = age().await;
    assert!((time::Duration::minutes(10)..time::Duration::minutes(11)).contains(&aged), "{aged}");
    assert!(!groups.age("w-2", Duration::from_mins(10)));
}

#[tokio::test]
async fn somebody_else_can_delete_groups() {
    let azure = Azure::with_worker(ExitsWhenTold::new(Exit::Code(0))).await;
    let groups = azure.manager.container_groups();
    let soon = Behaviour::VanishesAfter(Duration::from_millis(30));
    groups.inject(Rule::always(soon, |group| group.name == "w-1"));
    azure.put("w-1", &group()).await;
    azure.put("w-2", &group()).await;
    // It makes no difference that its run has ended meanwhile.
    groups.finish("w-1", Exit::Code(0));
    groups.until(DEADLINE, |groups| groups.iter().all(|group| group.name != "w-1")).await.unwrap();
    assert_eq!(azure.show("w-1").await.status, 404);
    assert_eq!(groups.gone().len(), 1);
    assert!(groups.remove("W-2"));
    assert!(!groups.remove("w-2"));
    assert_eq!(azure.show("w-2").await.status, 404);
}

#[tokio::test]
async fn every_region_has_groups_and_a_quota_of_its_own() {
    let mut small = config(ExitsWhenTold::new(Exit::Code(0)));
    small.max_groups = 1;
    let azure = Azure::with(ResourceManagerConfig { container_groups: small, ..Default::default() }).await;
    for (name, location) in [("w-1", "westeurope"), ("w-2", "Germany West Central"), ("w-3", "eastus2")] {
        let put = azure.put(name, &group_with("/location", json!(location))).await;
        let short = location.replace(' ', "").to_lowercase();
        assert_eq!((put.status, &put.body["location"]), (201, &json!(short)));
        let link = put.header("azure-asyncoperation");
        assert!(link.contains(&format!("/locations/{short}/operations/")), "{link}");
    }
    let refused = azure.put("w-4", &group_with("/location", json!("eastus2"))).await;
    assert_eq!(refused.code(), (400, "ContainerGroupQuotaReached"));
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("in region 'eastus2'"), "{refused:?}");
    let used = async |location: &str| {
        let usages = azure.get(&usages_path().replace("westeurope", location)).await.body;
        usages["value"][0]["currentValue"].clone()
    };
    assert_eq!((used("eastus2").await, used("northeurope").await), (json!(1), json!(0)));
}
