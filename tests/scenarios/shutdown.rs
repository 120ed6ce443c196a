//! Signals: the pass in hand ends, and nothing is left half done that the next pass would not see.

use std::process::{Output, Stdio};
use std::time::Duration;

use local_azure::resource_manager::Fault;
use local_azure::resource_manager::OperationKind::{ListGroups, PutGroup};
use rustix::process::{Pid, Signal, kill_process};
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

#[tokio::test]
async fn half_a_request_does_not_hold_an_idle_scaler_up_and_the_log_blames_no_pass() {
    let world = World::new(&["a"]).await;
    for begun in ["POST /ScaleTimer HTTP/1.1\r\nContent-Len", "POST /ScaleTimer HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"]
    {
        let mut scaler = Served::start(&world).await;
        let _held = scaler.begin_request(begun).await;
        // Once it has made a pass it has seen what came before.
        scaler.pass().await;
        let start = Instant::now();
        scaler.signal(Signal::TERM);
        assert_eq!(scaler.ended().await.code(), Some(143));
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        let log = scaler.log();
        assert!(log.contains("the shutdown cut off no pass, but connections of the Functions host"), "{log}");
        assert!(!log.contains("a pass was cut off"), "{log}");
    }
}

#[tokio::test]
async fn a_signal_during_once_ends_the_pass_early_and_its_report_says_what_was_done() {
    for (request, exit_code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let world = World::new(&["a"]).await;
        world.send("a", messages("m", 40));
        world.azure.resource_manager.inject(Fault::always(PutGroup).delays(Duration::from_millis(500)));
        let (run, start) = signalled(&world, &["once", "--json"], request, || !world.calls(PutGroup).is_empty()).await;
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        assert_eq!(run.status.code(), Some(exit_code));
        let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        let created = report["message_counts"]["created"].as_u64().unwrap();
        assert!((1..40).contains(&created), "{report}");
        assert_eq!(created, world.groups().len() as u64);
    }
}

#[tokio::test]
async fn a_signal_while_once_still_reads_ends_it_with_nothing_done() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    world.azure.resource_manager.inject(Fault::always(ListGroups).hangs());
    let asked = || world.azure.resource_manager.calls().iter().any(|call| call.kind == ListGroups);
    let (run, start) = signalled(&world, &["once"], Signal::INT, asked).await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert_eq!(run.status.code(), Some(130));
    let log = String::from_utf8(run.stderr).unwrap();
    assert!(log.contains("the pass had to end before everything was read"), "{log}");
    assert_eq!(world.calls(PutGroup), [""; 0]);
}

/// Runs the scaler, and sends it a signal once something is so; and when that was.
async fn signalled(world: &World, arguments: &[&str], signal: Signal, is_so: impl Fn() -> bool) -> (Output, Instant) {
    let mut command = world.command(arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it is time for the signal", is_so).await;
    kill_process(Pid::from_raw(child.id().unwrap().cast_signed()).unwrap(), signal).unwrap();
    let start = Instant::now();
    (child.wait_with_output().await.unwrap(), start)
}
