//! Answers of Azure's that are odd in their form: they are read as if they were not, or end in a failure and cost little.

use local_azure::container_groups::Job;
use local_azure::local::TOPIC;
use local_azure::resource_manager::OperationKind::PutGroup;
use local_azure::resource_manager::{Answer, Fault, Operations};

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
    assert!(pass.log.contains("container log: all done"), "{}", pass.log);
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
