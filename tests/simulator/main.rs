//! Runs the whole scaler (planner, passes, apply) in a simulated world that a seed determines.
//!
//! Each schedule has 200 steps in which messages arrive, workers work, hang and die, answers are late or lost, lists lag,
//! passes overlap and are killed at any await point, and settings change. Then the faults stop, and after some time every
//! message must be served. The promises of `docs/guarantees.md` are checked at every request and after every pass.
//!
//! * `SIMULATOR_SEED=123 cargo test --test simulator` runs one schedule and prints what happens in it.
//! * `SIMULATOR_SCHEDULES=1000000 cargo test --test simulator` runs that many new ones.

#![allow(unreachable_pub, reason = "the files of a test share what is public, and nobody else can use it")]

mod azure;
mod calm;
mod groups;
mod memory;
mod operator;
mod outside;
mod promises;
mod random;
mod scene;
mod schedule;
mod topic;
mod world;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use aci_scaler::sync::Mutex;
use memory::Cost;
use schedule::Told;

/// The number of schedules with the same seeds in every run: 0, 1, 2, …
const FIXED: u64 = 2000;

/// Schedules that once broke a promise: on partitioned topics, where an operator had tagged the record of an earlier attempt,
/// where a group vanished while a later attempt at its message could not be read, where a group whose start failed was
/// replaced by another with its name, where somebody deleted a group that the scaler had tried to delete before, where Azure
/// refused tags, and one of two processes replaced a group that did not start, where a group vanished and another process
/// then deleted the record before it, where an operator had tagged an earlier group that could not be read, and where one process
/// deleted the record that the other was just following.
const ONCE_BROKEN: [u64; 13] = [
    11_881_055_608_347_977_419,
    6_112_773_351_963_669_390,
    6_112_773_351_963_670_153,
    1_771_406_346_377_743_866,
    10_898_923_219_961_022_574,
    10_898_923_219_961_022_704,
    6_061_808_440_116_359_232,
    8_333_866_120_957_490_610,
    12_547_078_808_375_719_205,
    3_850_121_366_660_061_959,
    15_439_122_842_613_913_609,
    4_747_373_887_149_664_830,
    2_592_112_032_219_768_014,
];

/// The number of schedules with new seeds in every run.
const FRESH: u64 = 500;

#[test]
fn no_promise_is_broken_in_any_schedule() {
    if let Some(seed) = number("SIMULATOR_SEED") {
        run(seed, true);
        return;
    }
    for seed in ONCE_BROKEN {
        run(seed, false);
    }
    let first = RandomState::new().build_hasher().finish();
    let (fixed, fresh) = number("SIMULATOR_SCHEDULES").map_or((FIXED, FRESH), |fresh| (0, fresh));
    let seeds = |index| if index < fixed { index } else { first.wrapping_add(index) };
    let next = AtomicU64::new(0);
    let (kinds, cost) = (Mutex::new(BTreeMap::<_, u64>::new()), Mutex::new(Cost::default()));
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= fixed + fresh {
                break;
            }
            let told = run(seeds(index), false);
            for kind in told.kinds {
                *kinds.lock().entry(kind).or_default() += 1;
            }
            cost.lock().add(told.cost);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
    });
    print(&kinds.into_inner(), cost.into_inner(), fixed + fresh);
}

/// Prints in how many schedules each kind of fault occurred, and what workers that ran out of memory cost.
#[expect(clippy::print_stdout, reason = "it shows whether many schedules have all kinds of faults")]
fn print(kinds: &BTreeMap<&str, u64>, cost: Cost, schedules: u64) {
    for (kind, count) in kinds {
        println!("{kind}: in {count} of {schedules} schedules");
    }
    println!("{cost}");
}

fn run(seed: u64, told: bool) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let outcome = runtime.expect("a runtime can be built").block_on(schedule::run(seed, told));
    outcome.unwrap_or_else(|failure| panic!("{failure}\nTo see why: SIMULATOR_SEED={seed} cargo test --test simulator"))
}

#[expect(clippy::disallowed_methods, reason = "variables choose what is simulated")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}
