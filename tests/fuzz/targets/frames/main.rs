//! Frames of Service Bus: an orderly conversation in which the input changes, adds, repeats or leaves out bytes.
//!
//! The scaler does not panic, and where the AMQP library does, only the connection is lost; a peek ends, with a page that is
//! in order or with none; without changes, two passes see the messages.

#![no_main]

mod service;

use std::panic;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use aci_scaler::azure::service_bus::fuzzing::pages;
use libfuzzer_sys::fuzz_target;
use tokio::io::duplex;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// More than all time limits of two peeks together.
const PATIENCE: Duration = Duration::from_mins(2);

fuzz_target!(init: let_libraries_panic(), |input: &[u8]| {
    // Nothing is read from outside, so that the paused clock goes on as soon as everybody waits.
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (client, stream) = duplex(1 << 16);
    let is_orderly = Arc::new(AtomicBool::new(true));
    let pages = runtime.block_on(async {
        let service = tokio::spawn(service::serve(stream, input.to_vec(), Arc::clone(&is_orderly)));
        let pages = timeout(PATIENCE, pages(client)).await.expect("a peek ends");
        // In place of the socket, which the scaler shuts down when it drops a connection.
        service.abort();
        pages
    });
    for page in &pages {
        assert!(page.is_sorted_by(|a, b| a.sequence_number < b.sequence_number));
    }
    if is_orderly.load(Relaxed) {
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [service::MESSAGES, service::MESSAGES]);
    }
});

/// By default, every panic ends the run.
fn let_libraries_panic() {
    let end_the_run = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let is_of_a_library = panic.location().is_some_and(|place| place.file().contains("/registry/src/"));
        if !is_of_a_library {
            end_the_run(panic);
        }
    }));
}
