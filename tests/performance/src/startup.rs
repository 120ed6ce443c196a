//! From starting the process to its first answer, and what it weighs when it has nothing to do.

use std::path::Path;

use crate::Result;
use crate::bound::Latency;
use crate::document::{Check, Section};
use crate::measure::{measure, median, mib};
use crate::process::Process;
use crate::scenario::Scenario;
use crate::world;

/// Enough for a stable median.
const STARTS: usize = 21;

/// What the host may have to wait for an answer at the most.
const MAX_READY_MS: f64 = 15.0;

/// The most memory of a process that waits.
const MAX_IDLE_MIB: f64 = 16.0;

/// The largest message of a premium namespace.
const LARGEST_MESSAGE_BYTES: usize = 100_000_000;

/// What a message's size may change about the memory of a pass: nothing but noise.
const MAX_DIFFERENCE_MIB: f64 = 2.0;

/// Starts it often, and lets it idle.
pub async fn section(scaler: &Path) -> Result<Section> {
    let mut section = Section::new("process", &["the process", "measured", "limit"]);
    let mut add = |what: &str, unit: &str, value: f64, limit: f64| {
        section.row(vec![what.to_owned(), format!("{value:.1} {unit}"), format!("{limit:.0} {unit}")]);
        section.check(Check::new(value < limit, || format!("{what}: {value:.1} {unit}, and {limit} is the limit")));
    };

    let azure = world::start().await?;
    let mut ready = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..STARTS {
        let process = Process::start(scaler, &azure, &[]).await?;
        ready.push(process.ready_after);
        idle.push(process.memory_kib("VmRSS")?);
    }
    let ready = median(ready.into_iter()).as_secs_f64() * 1000.0;
    add("from its start to the answer to `GET /`", "ms", ready, MAX_READY_MS);
    add("memory before the first pass", "MiB", mib(median(idle.into_iter())), MAX_IDLE_MIB);

    let steady = Scenario { subscriptions: 20, served: 10, running: 200, ..Scenario::EMPTY };
    world::populate(&azure, &steady)?;
    let process = Process::start(scaler, &azure, &[("LOG_LEVEL", "warn".to_owned())]).await?;
    for _ in 0..5 {
        process.pass().await?;
    }
    add("memory after five passes over 200 groups", "MiB", mib(process.memory_kib("VmRSS")?), MAX_IDLE_MIB);

    let few = Scenario { subscriptions: 1, new: 5, max_instances: 5, ..Scenario::EMPTY };
    let large = Scenario { body_bytes: LARGEST_MESSAGE_BYTES, ..few.clone() };
    let few = measure(scaler, &few, Latency::NONE, 1).await?.peak_mib();
    let large = measure(scaler, &large, Latency::NONE, 1).await?.peak_mib();
    add("more memory for 5 messages of 100 MB than for 5 empty ones", "MiB", large - few, MAX_DIFFERENCE_MIB);
    Ok(section)
}
