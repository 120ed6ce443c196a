//! Rules for who gets a group when workers take whichever message comes first, compared.
//!
//! The real planner makes a pass a minute over a simulated subscription, under each rule with the same messages, job
//! lengths, starting times and mishaps. Nothing goes wrong but what the workers do: what the services do is the
//! simulator's concern. `docs/serving-order.md` holds the outcome;
//! `UPDATE_DOCS=1 cargo test --test serving_order` brings it up to date.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod mixes;
#[path = "../simulator/random.rs"]
mod random;
mod rules;
#[path = "../simulator/settings.rs"]
mod settings;
mod table;
mod tally;
mod workers;
mod world;

use std::sync::LazyLock;

use mixes::Mix;
use rules::Rule;
use tally::Tally;

/// Runs of each mix, each with messages and luck of its own.
const SEEDS: std::ops::Range<u64> = 0..2;

/// A mix, and what each rule made of it.
type Compared = (Mix, Vec<(Rule, Tally)>);

/// All mixes.
static COMPARISON: LazyLock<Vec<Compared>> = LazyLock::new(|| {
    std::thread::scope(|scope| {
        let compare = |mix: Mix| scope.spawn(move || (mix.clone(), compare(&mix)));
        let threads: Vec<_> = mixes::all().into_iter().map(compare).collect();
        threads.into_iter().map(|thread| thread.join().expect("runs do not panic")).collect()
    })
});

fn compare(mix: &Mix) -> Vec<(Rule, Tally)> {
    let mut sums: Vec<_> = Rule::ALL.map(|rule| (rule, Tally::default())).into();
    for seed in SEEDS {
        let tallies = Rule::ALL.map(|rule| world::run(mix, rule, seed));
        let plain = tallies[0].waits.clone();
        for ((_, sum), tally) in sums.iter_mut().zip(tallies) {
            sum.add(tally, &plain);
        }
    }
    sums
}

fn tallies(rule: Rule) -> impl Iterator<Item = (&'static str, &'static Tally)> {
    COMPARISON.iter().flat_map(move |(mix, tallies)| {
        tallies.iter().filter(move |(of, _)| *of == rule).map(|(_, tally)| (mix.name, tally))
    })
}

fn sum(rule: Rule, of: impl Fn(&Tally) -> usize) -> usize {
    tallies(rule).map(|(_, tally)| of(tally)).sum()
}

#[test]
fn spares_save_containers_in_every_mix_and_a_quarter_of_the_wasted_in_all() {
    for ((mix, plain), (_, spares)) in tallies(Rule::Plain).zip(tallies(Rule::Spares)) {
        assert!(spares.containers <= plain.containers, "{mix}: {} of {}", spares.containers, plain.containers);
    }
    let (plain, spares) = (sum(Rule::Plain, |tally| tally.containers), sum(Rule::Spares, |tally| tally.containers));
    let needed = sum(Rule::Plain, |tally| tally.messages);
    assert!((spares - needed) * 4 < (plain - needed) * 3, "{spares} rather than {plain} for {needed} messages");
}

#[test]
fn no_message_waits_for_a_spare_longer_than_one_back_off() {
    for rule in [Rule::Plain, Rule::LaterAttempts, Rule::AnyMemory, Rule::Spares] {
        assert_eq!(sum(rule, |tally| tally.put_off_too_long), 0, "{rule:?}");
    }
    assert!(sum(Rule::Unbounded, |tally| tally.put_off_too_long) > 0, "it would be noticed");
}

#[test]
fn every_message_is_served_unless_its_workers_died_ten_times() {
    for (mix, tally) in tallies(Rule::Plain).chain(tallies(Rule::Spares)) {
        assert_eq!(tally.waits.len() + tally.dead_lettered, tally.messages, "{mix}");
    }
}

#[test]
fn spares_that_are_large_enough_kill_fewer_workers_than_any_and_than_none() {
    let killed = |rule| sum(rule, |tally| tally.out_of_memory);
    assert!(killed(Rule::Spares) < killed(Rule::AnyMemory));
    assert!(killed(Rule::Spares) < killed(Rule::Plain));
}

#[test]
fn the_comparison_in_the_docs_is_up_to_date() {
    const BEGIN: &str = "<!-- comparison:begin -->\n";
    const END: &str = "<!-- comparison:end -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/serving-order.md");
    let text = std::fs::read_to_string(path).expect("docs/serving-order.md can be read");
    let (before, rest) = text.split_once(BEGIN).expect("it has a comparison:begin marker");
    let (_, after) = rest.split_once(END).expect("it has a comparison:end marker");
    let expected = format!("{before}{BEGIN}{}{END}{after}", table::of(&COMPARISON));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, expected).expect("docs/serving-order.md can be written");
    } else {
        assert!(text == expected, "it is stale: run `UPDATE_DOCS=1 cargo test --test serving_order`");
    }
}
