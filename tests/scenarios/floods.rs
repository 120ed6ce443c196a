//! Far more of everything than usual: memory stays flat, and passes end in time.
//!
//! CI sees a tenth of the largest floods; `ACI_SCALER_FLOODS=full cargo test --test scenarios floods` is all of them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use local_azure::local::TOPIC;
use local_azure::resource_manager::{Answer, Fault, OperationKind};
use local_azure::service_bus::SubscriptionConfig;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::served::Served;
use crate::support::{PATIENCE, World, message, messages};

/// A Function App's plan for small apps gives 512 MB; a build without optimisation needs no more than this of it.
const MEMORY_KIB: u64 = 200 * 1024;
/// A pass has 240 s; this is enough for a build without optimisation on a busy machine.
const PASS: Duration = Duration::from_mins(2);

/// All of it, or a tenth.
fn flood(full: usize) -> usize {
    let is_full = std::env::var_os("ACI_SCALER_FLOODS").is_some_and(|value| value == "full");
    if is_full { full } else { full / 10 }
}

/// The peak memory of a process.
fn peak_kib(scaler: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", scaler.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.unwrap().parse().unwrap()
}

fn assert_flat(scaler: &Served) {
    let peak = peak_kib(scaler);
    assert!(peak < MEMORY_KIB, "the scaler has held {peak} KiB");
}

async fn pass_in_time(scaler: &Served) -> Value {
    timeout(PASS, scaler.pass()).await.expect("the pass ends in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_at_the_handlers_port_leave_it_as_it_was() {
    let world = World::new(&["small"]).await;
    let scaler = Served::start(&world).await;
    let before = peak_kib(&scaler);
    let request = |number: usize| {
        let scaler = &scaler;
        async move {
            let text = match number % 4 {
                0 => "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                1 => "GET /no-such-place HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                2 => "\u{0}\u{1}\u{2} not HTTP\r\n\r\n",
                _ => "PUT /ScaleTimer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            };
            let mut answer = Vec::new();
            let mut connection = scaler.begin_request(text).await;
            // A connection that is reset is answer enough.
            _ = timeout(PATIENCE, connection.read_to_end(&mut answer)).await.expect("it is answered in time");
            String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200")
        }
    };
    let good = stream::iter(0..10_000).map(request).buffer_unordered(50).filter(|good| std::future::ready(*good));
    assert_eq!(good.count().await, 2_500, "each request that makes sense is answered");
    let after = peak_kib(&scaler);
    assert!(after < before + 32 * 1024, "memory grew from {before} to {after} KiB");
    pass_in_time(&scaler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_with_64_kb_of_properties_each_are_read_with_flat_memory() {
    let world = World::new(&["small"]).await;
    let filler = "x".repeat(64 * 1024);
    let large = (0..flood(10_000)).map(|number| message(format!("m{number}"), 128).property("filler", filler.clone()));
    world.send("small", large);
    let scaler = Served::start(&world).await;
    let report = pass_in_time(&scaler).await;
    assert!(report["message_counts"]["created"].as_u64() > Some(0), "{}", report["message_counts"]);
    assert_flat(&scaler);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_messages_are_not_all_read_and_cost_no_memory() {
    let world = World::new(&["a", "b", "c", "d"]).await;
    for name in ["a", "b", "c", "d"] {
        world.send(name, messages(name, flood(1_000_000) / 4));
    }
    let scaler = Served::start(&world).await;
    for _ in 0..2 {
        pass_in_time(&scaler).await;
    }
    assert_flat(&scaler);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_subscriptions_are_served_in_one_pass() {
    let names: Vec<String> = (0..2_000).map(|number| format!("s{number:04}")).collect();
    let mut world = World::new(&[]).await;
    for name in &names {
        // Without filters: a message would be held against each of them.
        let config = SubscriptionConfig { rules: vec![], ..SubscriptionConfig::new(name.as_str()) };
        world.azure.service_bus.create_subscription(TOPIC, config).unwrap();
    }
    world.set("ACI_MAX_INSTANCES", "10");
    let scaler = Served::start(&world).await;
    let report = pass_in_time(&scaler).await;
    let peeked: BTreeSet<_> = world.peeks().into_iter().map(|(subscription, _)| subscription).collect();
    assert_eq!(peeked.len(), names.len());
    // Subscriptions with errors are reported first.
    let reported = report["subscriptions"].as_array().unwrap();
    assert!(reported.iter().all(|subscription| subscription["error"].is_null()), "{reported:#?}");
    assert_flat(&scaler);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_one_line_of_10_mb_is_cut_before_it_is_logged() {
    let world = World::new(&["small"]).await;
    world.send("small", messages("m", 1));
    let scaler = Served::start(&world).await;
    pass_in_time(&scaler).await;
    let line = json!({ "content": "x".repeat(10 << 20) });
    world.azure.resource_manager.inject(Fault::always(OperationKind::GetLogs).answers(Answer::json(200, &line)));
    world.until_all_are_running().await;
    let group = world.group_of("m1");
    world.serve(&group);
    let report = pass_in_time(&scaler).await;
    assert_eq!(report["group_counts"]["deleted"], 1, "{}", report["group_counts"]);
    assert_eq!(world.groups().len(), 0);
    assert_flat(&scaler);
    let log = scaler.log();
    let longest = log.lines().map(str::len).max().unwrap_or_default();
    assert!(log.contains("xxxx") && longest < 20 * 1024, "a line of {longest} bytes");
}
