//! The time from the start of the process to its first answer, and its memory when idle.

use std::path::Path;

use crate::Result;
use crate::bound::Latency;
use crate::document::{Section, Target};
use crate::measure::{measure, median, mib};
use crate::process::Process;
use crate::scenario::Scenario;
use crate::world;

/// Enough for a stable median.
const STARTS: usize = 21;

/// The longest that the host may have to wait for an answer.
const MAX_READY_MS: f64 = 10.0;

/// The most memory of an idle process.
const MAX_IDLE_MIB: f64 = 10.0;

/// The same after passes over hundreds of groups.
const MAX_IDLE_AFTER_MUCH_MIB: f64 = 12.0;

/// The most memory of the idle links to a thousand subscriptions.
const MAX_LINKS_MIB: f64 = 30.0;

/// The largest message of a premium namespace.
const LARGEST_MESSAGE_BYTES: usize = 100_000_000;

/// How much the size of messages may change the memory of a pass: only noise.
const MAX_DIFFERENCE_MIB: f64 = 2.0;

/// The number of passes after which a process holds everything that it keeps.
const PASSES: usize = 5;

/// Starts it many times, and lets it idle.
pub async fn section(scaler: &Path) -> Result<Section> {
    let mut section = Section::new("process", &["the process", "measured", "limit"]);
    let mut add = |what: &str, unit: &'static str, measured: f64, limit: f64| {
        section.row(vec![what.to_owned(), format!("{measured:.1} {unit}"), format!("{limit:.0} {unit}")]);
        section.target(&Target { what: what.to_owned(), measured, limit, unit, digits: 1 });
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

    for (served, limit) in [(3, MAX_IDLE_MIB), (10, MAX_IDLE_AFTER_MUCH_MIB)] {
        let steady = Scenario { subscriptions: 20, served, running: 20 * served, ..Scenario::EMPTY };
        let idle = memory_after_passes(scaler, &steady).await?;
        let what = format!("memory after five passes over 20 subscriptions with {} groups", steady.running);
        add(&what, "MiB", idle, limit);
    }

    let none = memory_after_passes(scaler, &Scenario::EMPTY).await?;
    let many = memory_after_passes(scaler, &Scenario { subscriptions: 1000, ..Scenario::EMPTY }).await?;
    add("memory of the links to 1,000 subscriptions that are kept between passes", "MiB", many - none, MAX_LINKS_MIB);

    let few = Scenario { subscriptions: 1, new: 5, max_instances: 5, ..Scenario::EMPTY };
    let large = Scenario { body_bytes: LARGEST_MESSAGE_BYTES, ..few.clone() };
    let few = measure(scaler, &few, few.new, Latency::NONE, 1).await?.peak_mib();
    let large = measure(scaler, &large, large.new, Latency::NONE, 1).await?.peak_mib();
    add("more memory for 5 messages of 100 MB than for 5 empty ones", "MiB", large - few, MAX_DIFFERENCE_MIB);
    Ok(section)
}

/// The memory of a process that waits for the next pass, in MiB.
async fn memory_after_passes(scaler: &Path, scenario: &Scenario) -> Result<f64> {
    let azure = world::start().await?;
    world::subscribe(&azure, scenario)?;
    world::populate(&azure, scenario)?;
    let process = Process::start(scaler, &azure, &[("LOG_LEVEL", "warn".to_owned())]).await?;
    for _ in 0..PASSES {
        process.pass().await?;
    }
    Ok(mib(process.memory_kib("VmRSS")?))
}
