//! Answers from Azure in an odd form: they are read anyway, or end in a cheap failure.

use local_azure::container_groups::Job;
use local_azure::local::TOPIC;
use local_azure::local::{LocalAzureConfig, RESOURCE_GROUP};
use local_azure::resource_manager::OperationKind::{ListGroups, ListTopicSubscriptions, PutGroup};
use local_azure::resource_manager::{Answer, Fault, NextLink, Operations};

use crate::served::Served;
use crate::support::{World, counts, messages};

#[tokio::test]
async fn a_byte_order_mark_before_every_answer_changes_nothing() {
    let world = World::with_worker(&["a"], |job: Job| async move {
        job.log.line("all done");
        0
    })
    .await;
    world.azure.resource_manager.inject(Fault::always(Operations::Any).marks_byte_order());
    world.send("a", messages("m", 1));
    assert_eq!(world.pass().await.messages(), counts([("created", 1)]));
    world.azure.service_bus.remove(TOPIC, "a", 1).unwrap();
    world.until_all_have_ended().await;
    let pass = world.pass().await;
    assert_eq!(pass.groups(), counts([("deleted", 1)]), "{pass:#?}");
    assert!(pass.log.contains("last_lines=\"all done\""), "{}", pass.log);
}

#[tokio::test]
async fn a_byte_order_mark_hides_no_reason_of_a_refusal() {
    let world = World::new(&["a"]).await;
    world.azure.resource_manager.inject(Fault::always(PutGroup).answers(Answer::quota_reached()));
    world.azure.resource_manager.inject(Fault::always(PutGroup).marks_byte_order());
    world.send("a", messages("m", 1));
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("waiting_quota", 1)]), "{pass:#?}");
    assert!(pass.reasons("waiting_quota")["m1"].contains("ContainerGroupQuotaReached"), "{pass:#?}");
}

#[tokio::test]
async fn a_list_that_does_not_end_fails_the_pass_after_a_few_pages() {
    for kind in [ListGroups, ListTopicSubscriptions] {
        for (link, requests) in [(NextLink::ToItself, 1), (NextLink::ToFirstPage, 4), (NextLink::Endless, 30)] {
            let mut config = LocalAzureConfig::default();
            config.resource_manager.page_size = 2;
            config.resource_manager.topic_page_size = 2;
            let world = World::start(&["a", "b", "c", "d", "e"], config).await;
            world.azure.resource_manager.container_groups().plant_foreign(RESOURCE_GROUP, 5, 0);
            world.azure.resource_manager.inject(Fault::always(kind).leads_on(link));
            world.send("a", messages("m", 1));
            let pass = world.once().await;
            assert_eq!(pass.exit_code, 1, "{kind:?} {link:?}: {pass:#?}");
            assert!(pass.log.contains("did not end"), "{kind:?} {link:?}: {}", pass.log);
            assert!(world.calls_of(kind) <= requests, "{kind:?} {link:?}: {} requests", world.calls_of(kind));
            assert_eq!(world.calls(PutGroup), Vec::<String>::new(), "{kind:?} {link:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn thousands_of_groups_of_somebody_elses_take_no_more_memory_than_a_page_of_them() {
    const MIB: u64 = 1 << 20;
    let world = World::new(&["a"]).await;
    let scaler = Served::start(&world).await;
    scaler.pass().await;
    let before = most_memory(&scaler);
    // 40 MB, in 100 pages.
    world.azure.resource_manager.container_groups().plant_foreign(RESOURCE_GROUP, 5000, 8000);
    scaler.pass().await;
    assert_eq!(world.calls_of(ListGroups), 101);
    let grown = most_memory(&scaler) - before;
    assert!(grown < 10 * MIB, "{} KiB more", grown / 1024);
}

/// The peak memory of a process so far.
fn most_memory(scaler: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", scaler.pid())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    most.trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}
