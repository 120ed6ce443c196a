//! Passes worth measuring.

use std::path::Path;
use std::time::Duration;

use aci_scaler::settings::Settings;
use test_support::environment;

use crate::Result;
use crate::awake::Awake;
use crate::bound::{Calls, Latency, critical_path};
use crate::document::{Check, Section, Target};
use crate::measure::{Measured, measure};

/// The wall time of a pass is at most this multiple of the critical path, if answers have a latency.
const MAX_RATIO: f64 = 1.10;

/// The most memory with 100,000 messages, in MiB.
const MAX_PEAK_MIB: f64 = 48.0;

/// The state that a pass finds.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub subscriptions: usize,
    /// Messages of each subscription that have a running group, before the new ones.
    pub served: usize,
    /// Messages of each subscription without a group.
    pub new: usize,
    /// Running groups, for the served messages if there are any.
    pub running: usize,
    /// Groups that have ended and whose messages are gone.
    pub terminal: usize,
    /// If not the default of the settings.
    pub workers: Option<usize>,
    pub max_instances: usize,
    /// Bytes of each message's body.
    pub body_bytes: usize,
    /// The time since the previous pass: the longer, the more groups may be read.
    pub since_last_pass: Duration,
    /// Whether more than one run takes too long.
    pub is_long: bool,
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
        workers: None,
        max_instances: 200,
        body_bytes: 0,
        since_last_pass: Duration::ZERO,
        is_long: false,
    };

    /// Free slots of the cap.
    pub fn free(&self) -> usize {
        self.max_instances.saturating_sub(self.running)
    }

    /// Groups that the pass creates.
    pub fn creates(&self) -> usize {
        (self.subscriptions * self.new).min(self.free())
    }
}

/// The scenarios of the table. A pass creates groups for three quarters of the usual back-off, which is time for 11 creates a
/// worker at 4 s a PUT: no scenario needs more.
pub fn all() -> Vec<Scenario> {
    let empty = Scenario::EMPTY;
    vec![
        empty.clone(),
        Scenario {
            name: "steady state: 200 groups at work, 20 subscriptions",
            subscriptions: 20,
            served: 10,
            running: 200,
            since_last_pass: Duration::from_secs(12),
            ..empty.clone()
        },
        Scenario { name: "40 subscriptions × 1 new message", subscriptions: 40, new: 1, ..empty.clone() },
        Scenario {
            name: "20 subscriptions × 8 new messages, 16 workers",
            subscriptions: 20,
            new: 8,
            workers: Some(16),
            ..empty.clone()
        },
        Scenario {
            name: "1 subscription × 40 new messages, 4 workers",
            subscriptions: 1,
            new: 40,
            workers: Some(4),
            ..empty.clone()
        },
        Scenario { name: "1,000 subscriptions", subscriptions: 1000, ..empty.clone() },
        Scenario {
            name: "1,000 groups, 100,000 served messages before the first new one",
            subscriptions: 1,
            served: 100_000,
            new: 1,
            running: 1000,
            max_instances: 1001,
            since_last_pass: Duration::from_secs(35),
            is_long: true,
            ..empty.clone()
        },
        Scenario {
            name: "200 groups, 100 of them terminal",
            subscriptions: 20,
            served: 5,
            running: 100,
            terminal: 100,
            max_instances: 100,
            since_last_pass: Duration::from_secs(12),
            ..empty
        },
    ]
}

/// The default number of concurrent creates, and deletes.
fn default_workers() -> Result<usize> {
    let settings = Settings::from_environment(&environment::minimal());
    Ok(settings.map_err(|_| "the settings are refused")?.processing.max_workers.get())
}

/// Measures the scenarios whose name contains `only`, with each latency.
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
    let workers = default_workers()?;
    let _awake = Awake::start()?;
    let mut highest = [Latency::EVEN, Latency::RECORDED].map(|latency| (latency, 0.0_f64));
    for scenario in all().iter().filter(|scenario| only.is_none_or(|only| scenario.name.contains(only))) {
        let workers = scenario.workers.unwrap_or(workers);
        for latency in [Latency::EVEN, Latency::RECORDED, Latency::NONE] {
            let runs = if scenario.is_long || latency == Latency::RECORDED { 1 } else { runs };
            // A failed scenario must not cost the results of the others.
            let measured = match measure(scaler, scenario, workers, latency, runs).await {
                Ok(measured) => measured,
                Err(error) => {
                    section.check(Check::new(false, || format!("{}, {}: {error}", scenario.name, latency.name)));
                    continue;
                }
            };
            let ratio = add(&mut section, scenario, workers, latency, &measured);
            if let Some((_, highest)) = highest.iter_mut().find(|(of, _)| *of == latency) {
                *highest = highest.max(ratio);
            }
        }
    }
    for (latency, measured) in highest {
        let what = format!("the highest ratio of a pass to its bound, latencies {}", latency.name);
        section.target(&Target { what, measured, limit: MAX_RATIO, unit: "", digits: 2 });
    }
    Ok(section)
}

/// Adds a row. Returns the ratio to the bound.
fn add(section: &mut Section, scenario: &Scenario, workers: usize, latency: Latency, measured: &Measured) -> f64 {
    let bound = critical_path(scenario, workers, latency).as_secs_f64() * 1000.0;
    let wall = measured.wall.as_secs_f64() * 1000.0;
    let cpu = measured.cpu.as_secs_f64() * 1000.0;
    let ratio = wall / bound;
    let has_latency = latency != Latency::NONE;
    let needed = Calls::needed(scenario);
    section.row(vec![
        scenario.name.to_owned(),
        latency.name.to_owned(),
        if has_latency { format!("{bound:.0}") } else { "–".to_owned() },
        format!("{wall:.0}"),
        if has_latency { format!("{ratio:.2}") } else { "–".to_owned() },
        needed.arm().to_string(),
        needed.service_bus().to_string(),
        format!("{cpu:.0}"),
        format!("{:.0}", measured.azure_cpu.as_secs_f64() * 1000.0),
        format!("{:.1}", measured.peak_mib()),
    ]);
    let name = format!("{}, {}", scenario.name, latency.name);
    for calls in measured.calls.iter().filter(|calls| **calls != needed) {
        section.check(Check::new(false, || format!("{name}: the rules need {needed:?}, and {calls:?} were made")));
    }
    if has_latency {
        section.check(Check::new(ratio <= MAX_RATIO, || format!("{name}: {ratio:.2} of the bound")));
    } else if scenario.subscriptions == 1000 {
        section.check(Check::new(cpu < 1000.0, || format!("{name}: {cpu:.0} ms of CPU, and 1 s is the limit")));
    } else if scenario.served == 100_000 {
        let what = "memory of a pass over 1,000 groups and 100,000 messages".to_owned();
        section.target(&Target { what, measured: measured.peak_mib(), limit: MAX_PEAK_MIB, unit: "MiB", digits: 1 });
    }
    ratio
}
