//! Signals: the pass in hand ends, and nothing is left half done that the next pass would not see.

use std::process::Stdio;
use std::time::Duration;

use local_azure::functions_host::HandlerClient;
use local_azure::functions_host::variants::tick;
use local_azure::resource_manager::Fault;
use local_azure::resource_manager::OperationKind::PutGroup;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::time::Instant;

use crate::support::{PATIENCE, World, counts, messages};

/// A scaler that serves, and a client that is its host.
pub async fn serve(world: &mut World) -> (Child, HandlerClient) {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    world.set("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
    let child = world.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(Instant::now() < deadline, "the scaler listens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (child, HandlerClient::new(port).unwrap())
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

async fn until_a_create_is_under_way(world: &World) {
    let deadline = Instant::now() + PATIENCE;
    while world.calls(PutGroup).is_empty() {
        assert!(Instant::now() < deadline, "a group is created");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_signal_ends_the_pass_in_hand_within_five_seconds_and_the_next_pass_goes_on() {
    for (request, exit_code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut world = World::new(&["a"]).await;
        world.send("a", messages("m", 40));
        world.azure.resource_manager.inject(Fault::always(PutGroup).delays(Duration::from_millis(500)));
        let (mut child, host) = serve(&mut world).await;
        let invoked = tokio::spawn(async move { host.invoke(&tick(), None).await });
        until_a_create_is_under_way(&world).await;
        let start = Instant::now();
        signal(&child, request);
        let status = child.wait().await.unwrap();
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
    let mut world = World::new(&[]).await;
    let (mut child, _host) = serve(&mut world).await;
    let start = Instant::now();
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().await.unwrap().code(), Some(143));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_scaler_that_is_killed_between_any_two_steps_doubles_nothing_and_loses_nothing() {
    let mut world = World::new(&["a"]).await;
    world.send("a", messages("m", 30));
    for killed_after in [1, 5, 9, 14, 20, 27] {
        world.azure.resource_manager.inject(Fault::always(PutGroup).delays(Duration::from_millis(10)));
        let (mut child, host) = serve(&mut world).await;
        let invoked = tokio::spawn(async move { host.invoke(&tick(), None).await });
        let deadline = Instant::now() + PATIENCE;
        while world.calls(PutGroup).len() < killed_after && !invoked.is_finished() {
            assert!(Instant::now() < deadline, "groups are created");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().await.unwrap();
        _ = invoked.await;
        world.azure.resource_manager.clear_faults();
    }
    world.once().await;
    world.until_all_are_running().await;
    let groups = world.groups();
    assert_eq!(groups.len(), 30);
    assert!(groups.iter().all(|group| group.runs == 1), "none was started twice");
}
