//! One process for 2,000 passes: more than eight hours, with a pass every 15 s.

use std::collections::HashSet;
use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aci_scaler::sync::Mutex;
use local_azure::container_groups::{Exit, Job};
use local_azure::functions_host::Outcome;
use local_azure::local::{LocalAzure, LocalAzureConfig, TOPIC};
use local_azure::resource_manager::OperationKind::{
    self, DeleteGroup, GetGroup, GetLogs, ListGroups, ListTopicSubscriptions, PutGroup,
};
use local_azure::resource_manager::{Answer, Fault, RateLimit};
use local_azure::service_bus::{Effect, Fault as ServiceBusFault, Operation, ServiceBus, SubscriptionConfig};
use tokio::time::Instant;

use crate::served::Served;
use crate::support::{PATIENCE, World, message};

const PASSES: usize = 2_000;

/// By then the pools of connections and of memory have grown to their size.
const WARM_UP: usize = 300;

/// The number of passes between messages.
const MESSAGE_INTERVAL: usize = 50;

/// The number of passes between faults.
const FAULT_INTERVAL: usize = 25;

/// Two listen to signals, one to the host, one is the host's connection, and up to ten are kept for Resource Manager, which
/// is asked for the groups, the subscriptions and eight single groups at once. The connection that is kept to Service Bus is
/// held twice, so that it can be shut whatever waits on it.
const MAX_SOCKETS: usize = 16;

/// One for each connection, and one that waits for the end of the process. The connection to Service Bus has one more for
/// each pair of links, which are five with that for tokens, and for each session, which are no more than the pairs.
const MAX_TASKS: usize = 13 + 2 * 5;

/// 300 bytes a pass: a message or a task that is kept takes more, a connection far more. The groups that were asked for are
/// remembered for five minutes, so that all of the soak's are: some 3 KiB each.
const MAX_GROWTH_KIB: u64 = 512;

const SUBSCRIPTIONS: [&str; 4] = ["a", "b", "c", "d"];

#[tokio::test]
async fn two_thousand_passes_leave_nothing_behind_in_memory_sockets_or_tasks() {
    let workers = Workers::default();
    let mut world = soaked_world(&workers).await;
    world.set("PROVISIONING_RETRY_BACKOFF_SECONDS", "1");
    world.set("RUST_LOG", "warn,aci_scaler::handler=debug");
    let scaler = Served::start(&world).await;
    let mut failures = 0;
    let mut warm = None;
    for pass in 1..=PASSES {
        churn(&world, pass);
        failures += usize::from(matches!(scaler.invoke().await, Outcome::Failed { .. }));
        if pass == WARM_UP {
            warm = Some(rest(&world, &scaler).await);
        }
    }
    let (warm, end) = (warm.unwrap(), rest(&world, &scaler).await);
    assert!(end.sockets <= MAX_SOCKETS && end.tasks <= MAX_TASKS, "{end:?}");
    assert_eq!(end.files - end.sockets, warm.files - warm.sockets, "{end:?} after {warm:?}");
    assert_eq!(end.threads, 3, "one works and two write the log: {end:?}");
    assert!(end.memory_kib <= warm.memory_kib + MAX_GROWTH_KIB, "{end:?} after {warm:?}");
    assert!(failures <= PASSES / FAULT_INTERVAL, "a fault costs a pass at most: {failures} failed");
    let at_work = workers.at_work.lock();
    assert!(at_work.runs >= PASSES / MESSAGE_INTERVAL, "{} containers have run", at_work.runs);
    assert_eq!(at_work.doubled, [""; 0], "no two containers have run for one message at a time");
}

/// What a process holds.
#[derive(Debug)]
struct Footprint {
    /// Memory that it has allocated, in KiB.
    memory_kib: u64,
    files: usize,
    sockets: usize,
    threads: usize,
    tasks: usize,
}

impl Footprint {
    fn of(scaler: &Served) -> Self {
        let process = format!("/proc/{}", scaler.pid());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let links = fs::read_dir(format!("{process}/fd")).unwrap().map(|file| fs::read_link(file.unwrap().path()));
        // One that has just been closed can no longer be read.
        let links: Vec<_> = links.flatten().collect();
        let log = scaler.log();
        let tasks = log.lines().rev().find_map(|line| line.split("tasks=").nth(1)).expect("each invocation says it");
        Self {
            memory_kib: memory.trim().trim_end_matches(" kB").parse().unwrap(),
            files: links.len(),
            sockets: links.iter().filter(|link| link.to_string_lossy().starts_with("socket:")).count(),
            threads: fs::read_dir(format!("{process}/task")).unwrap().count(),
            tasks: tasks.split(' ').next().unwrap().parse().unwrap(),
        }
    }
}

/// Lets everything end without faults, and measures the process then.
async fn rest(world: &World, scaler: &Served) -> Footprint {
    world.azure.resource_manager.clear_faults();
    world.azure.service_bus.clear_faults();
    let deadline = Instant::now() + PATIENCE;
    let is_over = || {
        let subscriptions = world.azure.service_bus.subscriptions(TOPIC).unwrap();
        world.groups().is_empty() && subscriptions.iter().all(|subscription| subscription.active_messages == 0)
    };
    while !is_over() {
        assert!(Instant::now() < deadline, "every message is served and every group goes: {:#?}", world.groups());
        scaler.invoke().await;
    }
    scaler.pass().await;
    Footprint::of(scaler)
}

/// What happens between two passes.
fn churn(world: &World, pass: usize) {
    let azure = &world.azure;
    if pass.is_multiple_of(MESSAGE_INTERVAL) {
        let subscription = SUBSCRIPTIONS[pass / MESSAGE_INTERVAL % SUBSCRIPTIONS.len()];
        world.send(subscription, [message(format!("m{pass}"), 128)]);
    }
    match pass % 100 {
        30 => {
            azure.service_bus.create_subscription(TOPIC, SubscriptionConfig::new("passing")).unwrap();
            azure.resource_manager.forget_calls();
            azure.service_bus.clear_call_log();
        }
        70 => azure.service_bus.delete_subscription(TOPIC, "passing").unwrap(),
        _ => {}
    }
    if pass.is_multiple_of(FAULT_INTERVAL) {
        inject(world, pass / FAULT_INTERVAL);
    }
}

/// Makes something fail once, something else each time.
fn inject(world: &World, number: usize) {
    const KINDS: [OperationKind; 6] = [PutGroup, DeleteGroup, GetLogs, GetGroup, ListGroups, ListTopicSubscriptions];
    const OPERATIONS: [Operation; 4] = [Operation::Connect, Operation::PutToken, Operation::Attach, Operation::Peek];
    let LocalAzure { resource_manager, service_bus, .. } = &world.azure;
    let request = Fault::once(KINDS[number % KINDS.len()]);
    match number % 8 {
        0 | 3 | 6 => resource_manager.inject(request.resets()),
        1 | 4 => resource_manager.inject(request.answers(Answer::error(500, "InternalServerError", "A fault."))),
        // Rarely, for it costs a second.
        7 => resource_manager.inject(request.answers(Answer::too_many_requests(Duration::from_secs(1)))),
        _ => {
            let operation = OPERATIONS[number % OPERATIONS.len()];
            service_bus.inject(ServiceBusFault::new(operation, Effect::DropConnection).times(1));
        }
    }
}

async fn soaked_world(workers: &Workers) -> World {
    let mut config = LocalAzureConfig::default();
    let worker = workers.clone();
    config.resource_manager.container_groups.worker = Arc::new(move |job: Job| {
        let workers = worker.clone();
        async move { workers.work(&job).await }
    });
    // Its limits are for an hour's creates; here a day's come in a minute.
    config.resource_manager.rate_limit = RateLimit { per_5_minutes: 1_000_000, per_hour: 1_000_000 };
    config.resource_manager.keep_answers = false;
    let world = World::start(&SUBSCRIPTIONS, config).await;
    assert!(workers.service_bus.set(world.azure.service_bus.clone()).is_ok());
    world
}

/// Containers that take the first message of their subscription, and now and then fail instead.
#[derive(Clone, Default)]
struct Workers {
    service_bus: Arc<OnceLock<ServiceBus>>,
    at_work: Arc<Mutex<AtWork>>,
}

#[derive(Default)]
struct AtWork {
    runs: usize,
    /// The messages whose groups run, by the groups' names without the attempt.
    messages: HashSet<String>,
    doubled: Vec<String>,
}

impl Workers {
    async fn work(&self, job: &Job) -> Exit {
        let message = job.group.rsplit_once('-').unwrap().0.to_owned();
        let run = {
            let mut at_work = self.at_work.lock();
            at_work.runs += 1;
            if !at_work.messages.insert(message.clone()) {
                at_work.doubled.push(job.group.clone());
            }
            at_work.runs
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        let fails = run % 10 == 0;
        if !fails {
            let service_bus = self.service_bus.get().expect("it is set before there are groups");
            let subscription = &job.environment["SUBSCRIPTION"];
            for waiting in service_bus.peek_all(TOPIC, subscription).unwrap_or_default() {
                if service_bus.remove(TOPIC, subscription, waiting.sequence_number).unwrap_or_default() {
                    break;
                }
            }
        }
        self.at_work.lock().messages.remove(&message);
        Exit::Code(i32::from(fails))
    }
}
