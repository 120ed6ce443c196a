//! Signals: the pass in hand ends, and nothing is left half done that the next pass would not see.

use std::time::Duration;

use local_azure::resource_manager::Fault;
use local_azure::resource_manager::OperationKind::PutGroup;
use rustix::process::Signal;
use tokio::time::Instant;

use crate::served::Served;
use crate::support::{World, counts, messages, until};

#[tokio::test]
async fn a_signal_ends_the_pass_in_hand_within_five_seconds_and_the_next_pass_goes_on() {
    for (request, exit_code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let world = World::new(&["a"]).await;
        world.send("a", messages("m", 40));
        world.azure.resource_manager.inject(Fault::always(PutGroup).delays(Duration::from_millis(500)));
        let mut scaler = Served::start(&world).await;
        let invoked = scaler.begin_pass();
        until("a group is created", || !world.calls(PutGroup).is_empty()).await;
        let start = Instant::now();
        scaler.signal(request);
        let status = scaler.ended().await;
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        assert_eq!(status.code(), Some(exit_code));
        invoked.await.unwrap();

        world.azure.resource_manager.clear_faults();
        let before = world.calls(PutGroup).len() as u64;
        assert!(before < 40, "it did not go on to the end");
        assert_eq!(world.pass().await.messages(), counts([("created", 40 - before), ("running", before)]));
        world.until_all_are_running().await;
        assert!(world.groups().iter().all(|group| group.runs == 1));
    }
}

#[tokio::test]
async fn an_idle_scaler_ends_at_once() {
    let world = World::new(&[]).await;
    let mut scaler = Served::start(&world).await;
    let start = Instant::now();
    scaler.signal(Signal::TERM);
    assert_eq!(scaler.ended().await.code(), Some(143));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}
