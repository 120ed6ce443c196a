//! Holds 1,000 subscriptions with 1,000,000 messages, and peeks at all of them over a real socket:
//! `cargo bench -p local-azure --bench scale`. Fails when it takes more memory or more processor time than promised.
//!
//! Service Bus runs on its own thread. Only that thread's processor time counts, not the client's.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]
#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]

#[allow(dead_code, reason = "the tests of Service Bus use all of it")]
use std::thread;
use std::time::Duration;

use local_azure::service_bus::{
    OutgoingMessage, Rule, ServiceBus, ServiceBusConfig, SqlFilter, SubscriptionConfig, Value,
};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use test_support::peer::{PEEK, Peer, peek_body};

const TOPICS: usize = 100;
const SUBSCRIPTIONS_OF_A_TOPIC: usize = 10;
const MESSAGES: usize = 1_000_000;
/// Bytes of a body, as in a message about a file.
const BODY: usize = 200;
/// Messages of a page: the service's own limit.
const PAGE: i32 = 250;

/// The most memory that all of it may take: 1 GiB.
const MAX_MEMORY: u64 = 1 << 30;
/// Messages that must be peeked per second of one core.
const MIN_PEEKED_A_SECOND: f64 = 200_000.0;

fn main() {
    let (started, handle) = oneshot::channel();
    thread::spawn(move || serve(started));
    let (bus, processor_time) = handle.blocking_recv().expect("the thread runs");
    fill(&bus);
    let memory = memory();
    println!("memory: {} MiB with {MESSAGES} messages", memory >> 20);
    assert!(memory < MAX_MEMORY, "more than promised");

    let client = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut slowest = f64::INFINITY;
    for omit_body in [true, false] {
        let (before, began) = (processor_time(), Instant::now());
        let peeked = client.block_on(peek_all(&bus, omit_body));
        let (took, elapsed) = (processor_time().saturating_sub(before), began.elapsed());
        assert_eq!(peeked, MESSAGES);
        let [a_core, a_second] = [took, elapsed].map(|time| rate(peeked, time));
        println!(
            "peeked with omit-message-body {omit_body}: {a_core:.0}/s of one core, {a_second:.0}/s with this client"
        );
        slowest = slowest.min(a_core);
    }
    assert!(slowest >= MIN_PEEKED_A_SECOND, "slower than promised");
}

/// Returns how much processor time a thread has taken.
type ProcessorTime = Box<dyn Fn() -> Duration + Send>;

/// Runs a namespace on this thread.
fn serve(started: oneshot::Sender<(ServiceBus, ProcessorTime)>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let bus = ServiceBus::start(ServiceBusConfig::new()).await.expect("a free port");
        let handle = runtime.handle().clone();
        let processor_time: ProcessorTime = Box::new(move || {
            let (told, time) = std::sync::mpsc::channel();
            handle.spawn(async move { told.send(thread_time()) });
            time.recv().expect("the thread runs")
        });
        _ = started.send((bus, processor_time));
        std::future::pending::<()>().await;
    });
}

/// An SQL filter puts every message into one of its topic's subscriptions.
fn fill(bus: &ServiceBus) {
    let began = Instant::now();
    let of_a_topic = MESSAGES / TOPICS;
    for topic in topics() {
        bus.create_topic(&topic).expect("a new topic");
        for name in 0..SUBSCRIPTIONS_OF_A_TOPIC {
            let filter = SqlFilter::parse(&format!("target = {name}")).expect("a filter");
            let rules = vec![Rule::new("target", filter)];
            let config = SubscriptionConfig { rules, ..SubscriptionConfig::new(name.to_string()) };
            bus.create_subscription(&topic, config).expect("a new subscription");
        }
        let messages = (0..of_a_topic).map(|number| {
            let target = i64::try_from(number % SUBSCRIPTIONS_OF_A_TOPIC).expect("it is small");
            OutgoingMessage::new()
                .message_id(format!("{topic}-{number:08}"))
                .property("file_size_mb", 120_i64)
                .property("target", target)
                .body(vec![b'x'; BODY])
        });
        bus.publish_all(&topic, messages).expect("the topic is there");
    }
    println!("published: {:.0}/s", rate(MESSAGES, began.elapsed()));
}

/// Peeks at everything: 100 subscriptions at a time, each page by page.
async fn peek_all(bus: &ServiceBus, omit_body: bool) -> usize {
    let (mut peeks, mut connections) = (JoinSet::new(), Vec::new());
    for topics in topics().collect::<Vec<_>>().chunks(TOPICS / 10) {
        let mut peer = Peer::connect(bus).await;
        for topic in topics {
            for name in 0..SUBSCRIPTIONS_OF_A_TOPIC {
                let address = format!("{topic}/Subscriptions/{name}/$management");
                let mut node = peer.node(&address).await.expect("the subscription is there");
                peeks.spawn(async move {
                    let mut peeked = 0;
                    loop {
                        // Sequence numbers begin with 1 and have no gaps here.
                        let from = i64::try_from(peeked).expect("it is small") + 1;
                        node.ask(&PEEK, peek_body(from, PAGE, omit_body)).await;
                        let reply = node.reply().await.expect("a reply");
                        let Value::Map(page) = reply.body else { return peeked };
                        let Some(Value::List(messages)) = page.get(&Value::from("messages")) else { return peeked };
                        peeked += messages.len();
                    }
                });
            }
        }
        // The connection ends with its handle.
        connections.push(peer);
    }
    peeks.join_all().await.into_iter().sum()
}

fn topics() -> impl Iterator<Item = String> {
    (0..TOPICS).map(|number| format!("topic-{number}"))
}

/// The memory of this process, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

#[expect(clippy::cast_precision_loss, reason = "a million is exact")]
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// The processor time of this thread.
#[cfg(unix)]
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Elapsed time is close enough on Windows.
#[cfg(windows)]
fn thread_time() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
}
