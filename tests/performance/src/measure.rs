//! Measures a scenario's pass.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::Result;
use crate::bound::{Calls, Latency};
use crate::process::{self, Process};
use crate::scenario::Scenario;
use crate::world;

/// The cost of a pass: the medians of several runs.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From the invocation to the end of its answer.
    pub wall: Duration,
    /// The process's CPU time during that.
    pub cpu: Duration,
    /// The local Azure's CPU time during that: producing answers takes time too.
    pub azure_cpu: Duration,
    /// The peak memory of the process, in KiB.
    peak_kib: u64,
    /// The requests of each run.
    pub calls: Vec<Calls>,
}

impl Measured {
    pub fn peak_mib(&self) -> f64 {
        mib(self.peak_kib)
    }
}

/// Measures the second pass of a process. In the first one it finds the subscriptions empty, gets its token and attaches its
/// links.
pub async fn measure(
    scaler: &Path,
    scenario: &Scenario,
    workers: usize,
    latency: Latency,
    runs: usize,
) -> Result<Measured> {
    let mut all = Vec::new();
    for _ in 0..runs.max(1) {
        all.push(measure_once(scaler, scenario, workers, latency).await?);
    }
    Ok(Measured {
        wall: median(all.iter().map(|run| run.wall)),
        cpu: median(all.iter().map(|run| run.cpu)),
        azure_cpu: median(all.iter().map(|run| run.azure_cpu)),
        peak_kib: median(all.iter().map(|run| run.peak_kib)),
        calls: all.into_iter().flat_map(|run| run.calls).collect(),
    })
}

async fn measure_once(scaler: &Path, scenario: &Scenario, workers: usize, latency: Latency) -> Result<Measured> {
    let azure = world::start().await?;
    let settings = [
        ("ACI_MAX_INSTANCES", scenario.max_instances.to_string()),
        ("PROVISIONING_MAX_WORKERS", workers.to_string()),
        ("PROVISIONING_PEEK_DEPTH", "1000000".to_owned()),
        ("LOG_LEVEL", "warn".to_owned()),
    ];
    let process = Process::start(scaler, &azure, &settings).await?;
    world::subscribe(&azure, scenario)?;
    process.pass().await?;
    let last_pass = Instant::now();
    world::populate(&azure, scenario)?;
    world::delay(&azure, latency);
    world::forget_calls(&azure);
    sleep_until(last_pass + scenario.since_last_pass).await;

    let (cpu, azure_cpu) = (process.cpu()?, process::cpu("self")?);
    let start = Instant::now();
    let report = process.pass().await?;
    let wall = start.elapsed();
    let cpu = process.cpu()?.saturating_sub(cpu);
    let azure_cpu = process::cpu("self")?.saturating_sub(azure_cpu);

    let count = |counts: &str, outcome: &str| report[counts][outcome].as_u64().unwrap_or_default();
    let done = (count("message_counts", "created"), count("group_counts", "deleted"));
    if done != (scenario.creates() as u64, scenario.terminal as u64) {
        let of = |part: &str| report[part].to_string().chars().take(400).collect::<String>();
        let (messages, groups, subscriptions) = (of("message_counts"), of("group_counts"), of("subscriptions"));
        return Err(format!("{}: {messages}, {groups}, {subscriptions}", scenario.name).into());
    }
    let peak_kib = process.memory_kib("VmHWM")?;
    let calls = vec![world::calls(&azure)?];
    azure.resource_manager.stop().await;
    azure.service_bus.shutdown();
    Ok(Measured { wall, cpu, azure_cpu, peak_kib, calls })
}

#[expect(clippy::cast_precision_loss, reason = "no process has 2^52 KiB")]
pub fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// The median.
pub fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}
