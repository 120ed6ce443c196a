//! A day of a topic on a simulated clock: real passes over services in memory with the latencies of Azure's recorded answers.

mod services;
mod workload;

use std::time::Duration;

use aci_scaler::clock::Clock;
use aci_scaler::deadline::Deadline;
use aci_scaler::pass::{Mode, Scaler};
use aci_scaler::services::Services;
use aci_scaler::settings::Settings;
use test_support::environment;
use tokio::time::{Instant, sleep_until};

use crate::Result;
use crate::document::{Section, Target, docs};
use crate::plot::reaction::{Distribution, svg};
use services::{Azure, Calls};
use workload::{Arrival, arrivals};

const SEED: u64 = 1;
const DAY: Duration = Duration::from_hours(24);

/// Seconds between passes.
const CADENCES: [u64; 4] = [10, 15, 30, 60];

/// How often KEDA polls by default.
const KEDA_SECONDS: u64 = 30;

/// The targets: seconds from enqueued to PUT.
const MAX_P50_AT_10: f64 = 7.0;
const MAX_P50_AT_15: f64 = 10.0;
const MAX_P99_AT_15: f64 = 20.0;

/// Flex Consumption's smallest instance in GB, its shortest billed execution, and the step to which executions are rounded up.
const INSTANCE_GB: f64 = 0.5;
const SHORTEST: Duration = Duration::from_secs(1);
const ROUNDED_TO_MILLIS: u128 = 100;

/// The results of a day.
#[derive(Debug, PartialEq)]
struct Day {
    /// From each message's enqueued time to the PUT of its group, sorted.
    reactions: Vec<Duration>,
    passes: usize,
    /// The billed time of passes.
    awake: Duration,
    longest_pass: Duration,
    calls: Calls,
    length: Duration,
}

/// Simulates the day at each cadence. With `draw`, plots how soon messages get their groups.
pub fn section(draw: bool) -> Result<Section> {
    let mut section = Section::new(
        "day",
        &[
            "a pass every",
            "p50, s",
            "p95, s",
            "p99, s",
            "max, s",
            "passes",
            "longest pass, s",
            "reads a second",
            "ARM calls a day",
            "peeks a day",
            "GB-s a day",
        ],
    );
    let mut drawn = Vec::new();
    for seconds in CADENCES {
        let day = simulate(SEED, DAY, Duration::from_secs(seconds))?;
        let [p50, p95, p99, max] = day.percentiles();
        section.row(vec![
            format!("{seconds} s"),
            format!("{p50:.1}"),
            format!("{p95:.1}"),
            format!("{p99:.1}"),
            format!("{max:.1}"),
            day.passes.to_string(),
            format!("{:.1}", day.longest_pass.as_secs_f64()),
            format!("{:.1}", ratio(day.calls.reads, day.length)),
            (day.calls.reads + day.calls.writes).to_string(),
            day.calls.peeks.to_string(),
            format!("{:.0}", day.awake.as_secs_f64() * INSTANCE_GB),
        ]);
        let targets: &[_] = match seconds {
            10 => &[("p50", p50, MAX_P50_AT_10)],
            15 => &[("p50", p50, MAX_P50_AT_15), ("p99", p99, MAX_P99_AT_15)],
            _ => &[],
        };
        for (of, measured, limit) in targets {
            let what = format!("enqueued to PUT, a pass every {seconds} s, {of}");
            section.target(&Target { what, measured: *measured, limit: *limit, unit: "s", digits: 1 });
        }
        drawn.push(Distribution { name: format!("every {seconds} s"), sorted: day.reactions });
    }
    let keda = ideal_polling(&arrivals(SEED, DAY), Duration::from_secs(KEDA_SECONDS));
    let [p50, p95, p99, max] = percentiles(&keda).map(|wait| format!("{:.1}", wait.as_secs_f64()));
    let name = format!("KEDA, ideal, every {KEDA_SECONDS} s");
    let mut row = vec![name.clone(), p50, p95, p99, max];
    row.resize(11, "–".to_owned());
    section.row(row);
    drawn.push(Distribution { name, sorted: keda });
    if draw {
        std::fs::write(docs().join("performance-reaction.svg"), svg(&drawn))?;
    }
    Ok(section)
}

/// Simulates a day of this length, on a thread and a clock of its own.
fn simulate(seed: u64, length: Duration, cadence: Duration) -> Result<Day> {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let day = runtime.map_err(|error| error.to_string())?.block_on(live(seed, length, cadence));
        day.map_err(|error| error.to_string())
    });
    Ok(thread.join().map_err(|_| "the day has panicked")??)
}

async fn live(seed: u64, length: Duration, cadence: Duration) -> Result<Day> {
    let azure = Azure::new(&arrivals(seed, length));
    let midnight = Instant::now();
    let environment = environment::with(&[("ACI_MAX_INSTANCES", "200")]);
    let settings = Settings::from_environment(&environment).map_err(|_| "the settings are refused")?;
    let clock = azure.clone();
    let services = Services { groups: azure.clone(), subscriptions: azure.clone(), messages: azure.clone() };
    let scaler = Scaler::new(services, &settings, Clock::from_fn(move || clock.now()));

    let (mut passes, mut awake, mut longest_pass) = (0, Duration::ZERO, Duration::ZERO);
    // A message that arrives at the very end gets its group in the pass after it.
    while midnight.elapsed() < length + 2 * cadence {
        let start = Instant::now();
        scaler.pass(Mode::Apply, &Deadline::after(scaler.pass_deadline())).await?;
        let took = start.elapsed();
        passes += 1;
        awake += billed(took);
        longest_pass = longest_pass.max(took);
        sleep_until(midnight + next_tick(midnight.elapsed(), cadence)).await;
    }
    let counted = azure.reactions().into_iter().filter(|(arrival, _)| !arrival.at.is_zero());
    let reactions = counted.map(|(_, reaction)| reaction).collect::<Option<Vec<_>>>();
    let mut reactions = reactions.ok_or("a message has no group")?;
    reactions.sort_unstable();
    let length = midnight.elapsed();
    Ok(Day { reactions, passes, awake, longest_pass, calls: azure.calls(), length })
}

/// The timer's next tick. A tick during a pass is lost.
fn next_tick(now: Duration, cadence: Duration) -> Duration {
    let ticks = now.as_millis() / cadence.as_millis() + 1;
    cadence * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// The billed part of an execution.
fn billed(took: Duration) -> Duration {
    let parts = took.as_millis().div_ceil(ROUNDED_TO_MILLIS);
    let rounded = Duration::from_millis(u64::try_from(parts * ROUNDED_TO_MILLIS).unwrap_or(u64::MAX));
    rounded.max(SHORTEST)
}

/// How long messages wait, sorted, for a scaler that polls at this interval and creates everything necessary at once, without
/// reads and without a limit.
fn ideal_polling(arrivals: &[Arrival], every: Duration) -> Vec<Duration> {
    let counted = arrivals.iter().filter(|arrival| !arrival.at.is_zero());
    let mut waits: Vec<_> = counted.map(|arrival| next_tick(arrival.at, every).saturating_sub(arrival.at)).collect();
    waits.sort_unstable();
    waits
}

impl Day {
    /// In seconds.
    fn percentiles(&self) -> [f64; 4] {
        percentiles(&self.reactions).map(|reaction| reaction.as_secs_f64())
    }
}

/// The median, the 95th and 99th percentiles and the maximum of sorted values.
fn percentiles(sorted: &[Duration]) -> [Duration; 4] {
    // The smallest value that this percentage of them does not exceed.
    let percentile = |of: usize| sorted.get((sorted.len() * of).div_ceil(100).saturating_sub(1));
    [50, 95, 99, 100].map(|of| percentile(of).copied().unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "calls are few")]
fn ratio(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn an_hour_is_the_same_each_time() {
        let simulate = || simulate(7, HOUR, Duration::from_secs(15)).unwrap();
        let day = simulate();
        assert_eq!(day, simulate());
        assert_eq!(day.reactions.len(), arrivals(7, HOUR).iter().filter(|arrival| !arrival.at.is_zero()).count());
        assert!(day.passes >= 200 && day.calls.reads > 0, "{day:?}");
    }

    #[test]
    fn fewer_passes_react_later_and_cost_less() {
        let [often, seldom] = [15, 60].map(|seconds| simulate(7, HOUR, Duration::from_secs(seconds)).unwrap());
        assert!(often.percentiles()[0] < seldom.percentiles()[0]);
        assert!(often.calls.reads > seldom.calls.reads && often.awake > seldom.awake);
    }

    #[test]
    fn an_ideal_poll_comes_at_the_next_tick() {
        let at = |millis| Arrival { at: Duration::from_millis(millis), subscription: 0, work: HOUR };
        let waits = ideal_polling(&[at(0), at(1), at(29_000), at(30_000)], Duration::from_secs(30));
        assert_eq!(waits.iter().map(Duration::as_millis).collect::<Vec<_>>(), [1000, 29_999, 30_000]);
    }

    #[test]
    fn percentiles_are_values_that_so_many_do_not_exceed() {
        let values: Vec<_> = (1..=200).map(Duration::from_secs).collect();
        assert_eq!(percentiles(&values).map(|value| value.as_secs()), [100, 190, 198, 200]);
        assert_eq!(percentiles(&values[..1]).map(|value| value.as_secs()), [1; 4]);
    }

    #[test]
    fn an_execution_is_billed_in_tenths_of_a_second_from_one_second_on() {
        let billed = |millis| billed(Duration::from_millis(millis)).as_millis();
        assert_eq!([billed(1), billed(1000), billed(1001), billed(2150)], [1000, 1000, 1100, 2200]);
    }
}
