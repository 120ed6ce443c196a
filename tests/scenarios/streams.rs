//! A scaler whose log nobody reads: it still makes its passes, answers and ends.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use local_azure::function_app::FunctionApp;
use local_azure::functions_host::{FunctionsHost, HostConfig, Outcome, Reading, Streams};
use local_azure::resource_manager::OperationKind::PutGroup;
use rustix::process::Signal;
use tokio::time::{Instant, timeout};

use crate::served::Served;
use crate::support::{World, messages, until};

/// Longer than a pass takes on a busy machine, and shorter than a test's time limit.
const SOON: Duration = Duration::from_secs(20);

/// How much a pipe holds.
const PIPE: usize = 1 << 16;

/// With this many groups each pass logs some 50 KiB at the lowest level, and the pass that creates them over 100.
const GROUPS: usize = 100;

/// A scaler that logs everything to these streams.
async fn start(world: &mut World, streams: Streams) -> FunctionApp {
    world.set("RUST_LOG", "trace");
    world.send("a", messages("m", GROUPS));
    let scaler = Path::new(env!("CARGO_BIN_EXE_aci-scaler"));
    let configure = |mut config: HostConfig| {
        config.streams = streams;
        config
    };
    FunctionApp::start(scaler, world.environment.clone(), configure).await.unwrap()
}

async fn pass(host: &FunctionsHost) {
    let invocation = host.invocation("ScaleTimer").await.unwrap();
    let outcome = timeout(SOON, host.invoke(&invocation)).await.expect("a pass does not wait for its log");
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
}

#[tokio::test]
async fn passes_go_on_while_nobody_takes_the_log() {
    for reading in [Reading::Stalls, Reading::Closes, Reading::DiskFull] {
        let mut world = World::new(&["a"]).await;
        let app = start(&mut world, Streams { stdout: reading, stderr: reading }).await;
        for _ in 0..3 {
            pass(&app.host).await;
        }
        assert_eq!(world.calls(PutGroup).len(), GROUPS, "{reading:?}");
        timeout(SOON, app.host.stop()).await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_reads_again_has_missed_nothing_that_there_was_room_for() {
    let mut world = World::new(&["a"]).await;
    let stalled = Streams { stdout: Reading::Stalls, stderr: Reading::Stalls };
    let app = start(&mut world, stalled).await;
    for _ in 0..3 {
        pass(&app.host).await;
    }
    app.host.set_streams(Streams::default());
    let is_the_end = |message: &str| message.contains("the invocation is over");
    let ends = || app.host.records().all().iter().filter(|record| is_the_end(&record.message)).count();
    until("the last pass is logged", || ends() == 3).await;
    let created = app.host.records().all().into_iter().filter(|record| record.message.contains("created a container"));
    assert_eq!(created.count(), GROUPS);
    app.host.stop().await;
}

#[tokio::test]
async fn a_signal_ends_a_scaler_whose_log_nobody_takes() {
    for (request, exit_code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut world = World::new(&["a"]).await;
        world.set("RUST_LOG", "trace");
        let (_reader, mut writer) = std::io::pipe().unwrap();
        // There is no room for a single line.
        writer.write_all(&vec![b'x'; PIPE]).unwrap();
        let mut scaler = Served::start_writing_to(&world, writer).await;
        timeout(SOON, scaler.pass()).await.expect("a pass does not wait for its log");
        let start = Instant::now();
        scaler.signal(request);
        let ended = timeout(SOON, scaler.ended()).await.expect("a signal is heard");
        assert_eq!(ended.code(), Some(exit_code));
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    }
}
