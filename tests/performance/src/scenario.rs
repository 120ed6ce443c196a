//! Passes worth measuring.

use std::path::Path;

use crate::Result;
use crate::bound::{Calls, Latency, critical_path};
use crate::document::{Check, Section};
use crate::measure::{Measured, measure};

/// The wall time of a pass is at most this many times the critical path, where the services take their time.
const MAX_RATIO: f64 = 1.10;

/// What a pass finds.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub subscriptions: usize,
    /// Messages of each subscription that have a running group, ahead of the new ones.
    pub served: usize,
    /// Messages of each subscription that have none.
    pub new: usize,
    /// Groups that run, for the served messages if there are any.
    pub running: usize,
    /// Groups that are over, and whose messages are gone.
    pub terminal: usize,
    pub workers: usize,
    pub max_instances: usize,
    /// Bytes of each message's body.
    pub body_bytes: usize,
}

impl Scenario {
    /// Nothing at all.
    pub const EMPTY: Self = Self {
        name: "empty",
        subscriptions: 0,
        served: 0,
        new: 0,
        running: 0,
        terminal: 0,
        workers: 4,
        max_instances: 200,
        body_bytes: 0,
    };

    /// Slots of the cap that are free.
    pub fn free(&self) -> usize {
        self.max_instances.saturating_sub(self.running)
    }

    /// Groups that the pass makes.
    pub fn creates(&self) -> usize {
        (self.subscriptions * self.new).min(self.free())
    }
}

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    let empty = Scenario::EMPTY;
    vec![
        empty.clone(),
        Scenario {
            name: "steady state: 200 groups at work, 20 subscriptions",
            subscriptions: 20,
            served: 10,
            running: 200,
            ..empty.clone()
        },
        Scenario { name: "50 subscriptions × 1 new message", subscriptions: 50, new: 1, ..empty.clone() },
        Scenario {
            name: "20 subscriptions × 10 new messages, 16 workers",
            subscriptions: 20,
            new: 10,
            workers: 16,
            ..empty.clone()
        },
        Scenario { name: "1 subscription × 200 new messages", subscriptions: 1, new: 200, ..empty.clone() },
        Scenario { name: "1,000 subscriptions", subscriptions: 1000, ..empty.clone() },
        Scenario {
            name: "1,000 groups, 100,000 served messages before the first new one",
            subscriptions: 1,
            served: 100_000,
            new: 1,
            running: 1000,
            max_instances: 1001,
            ..empty.clone()
        },
        Scenario {
            name: "1,000 groups, 500 of them terminal",
            subscriptions: 20,
            served: 25,
            running: 500,
            terminal: 500,
            max_instances: 500,
            ..empty
        },
    ]
}

/// Measures the scenarios whose name contains `only`, with latency and without.
pub async fn section(scaler: &Path, runs: usize, only: Option<&str>) -> Result<Section> {
    let mut section = Section::new(
        "passes",
        &[
            "pass",
            "latency",
            "bound, ms",
            "wall, ms",
            "ratio",
            "ARM calls",
            "Service Bus calls",
            "CPU, ms",
            "local Azure's CPU, ms",
            "peak memory, MiB",
        ],
    );
    for scenario in all().iter().filter(|scenario| only.is_none_or(|only| scenario.name.contains(only))) {
        for latency in [Latency::USUAL, Latency::NONE] {
            let measured = measure(scaler, scenario, latency, runs).await?;
            add(&mut section, scenario, latency, &measured);
        }
    }
    Ok(section)
}

fn add(section: &mut Section, scenario: &Scenario, latency: Latency, measured: &Measured) {
    let bound = critical_path(scenario, latency).as_secs_f64() * 1000.0;
    let wall = measured.wall.as_secs_f64() * 1000.0;
    let cpu = measured.cpu.as_secs_f64() * 1000.0;
    let has_latency = latency != Latency::NONE;
    section.row(vec![
        scenario.name.to_owned(),
        format!("{} + {} ms", latency.arm.as_millis(), latency.service_bus.as_millis()),
        if has_latency { format!("{bound:.0}") } else { "–".to_owned() },
        format!("{wall:.0}"),
        if has_latency { format!("{:.2}", wall / bound) } else { "–".to_owned() },
        measured.calls.arm().to_string(),
        measured.calls.service_bus().to_string(),
        format!("{cpu:.0}"),
        format!("{:.0}", measured.azure_cpu.as_secs_f64() * 1000.0),
        format!("{:.1}", measured.peak_mib()),
    ]);
    let name = scenario.name;
    let needed = Calls::needed(scenario);
    section.check(Check::new(measured.calls == needed, || {
        format!("{name}: the rules need {needed:?}, and {:?} were made", measured.calls)
    }));
    if has_latency {
        let ratio = wall / bound;
        section.check(Check::new(ratio <= MAX_RATIO, || format!("{name}: {ratio:.2} of the bound")));
    } else if scenario.subscriptions == 1000 {
        section.check(Check::new(cpu < 1000.0, || format!("{name}: {cpu:.0} ms of CPU, and 1 s is the limit")));
    }
    if scenario.served == 100_000 {
        let peak = measured.peak_mib();
        section.check(Check::new(peak < 48.0, || format!("{name}: {peak:.1} MiB, and 48 MiB is the limit")));
    }
}
