//! The messages of a day, the same for the same seed.

use std::time::Duration;

/// A trickle of one message a minute on average.
const TRICKLE_AN_HOUR: f64 = 60.0;

/// Bursts, and the most messages of one.
const BURSTS_AN_HOUR: f64 = 1.0;
const LARGEST_BURST: u64 = 16;

/// The percentage of long jobs in the trickle. Together with the short ones, some 50 groups work at any time.
const LONG_PER_CENT: u64 = 20;
const LONG: [u64; 2] = [2 * 3600, 5 * 3600];
const SHORT: [u64; 2] = [60, 10 * 60];

/// Long jobs that exist when the day begins, each at a random stage.
const FLEET: u64 = 42;

/// How many subscriptions the messages go to.
pub const SUBSCRIPTIONS: u64 = 20;

/// A message that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The time since the day began.
    pub at: Duration,
    pub subscription: u64,
    /// How long its worker takes.
    pub work: Duration,
}

/// What arrives within this time, in order. What arrives at the very beginning is the fleet, whose waiting time does not count.
pub fn arrivals(seed: u64, within: Duration) -> Vec<Arrival> {
    let mut random = Random(seed);
    let mut arrivals: Vec<_> = (0..FLEET)
        .map(|_| {
            let work = random.within([60, LONG[1]]);
            Arrival { at: Duration::ZERO, subscription: random.below(SUBSCRIPTIONS), work }
        })
        .collect();
    let mut at = random.pause(TRICKLE_AN_HOUR);
    while at < within {
        let work = if random.below(100) < LONG_PER_CENT { LONG } else { SHORT };
        arrivals.push(Arrival { at, subscription: random.below(SUBSCRIPTIONS), work: random.within(work) });
        at += random.pause(TRICKLE_AN_HOUR);
    }
    let mut at = random.pause(BURSTS_AN_HOUR);
    while at < within {
        // A whole burst goes to one subscription.
        let subscription = random.below(SUBSCRIPTIONS);
        for _ in 0..2 + random.below(LARGEST_BURST - 1) {
            arrivals.push(Arrival { at, subscription, work: random.within(SHORT) });
        }
        at += random.pause(BURSTS_AN_HOUR);
    }
    arrivals.sort_by_key(|arrival| arrival.at);
    arrivals
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A random number of seconds between two, to the millisecond.
    fn within(&mut self, [from, to]: [u64; 2]) -> Duration {
        Duration::from_millis(from * 1000 + self.below((to - from) * 1000))
    }

    /// The time to the next event of a Poisson process.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are enough")]
    fn pause(&mut self, an_hour: f64) -> Duration {
        let share = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let millis = (-(1.0 - share).ln() * 3600.0 / an_hour * 1000.0).round();
        Duration::from_secs_f64(millis / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn the_same_seed_brings_the_same_day() {
        assert_eq!(arrivals(1, DAY), arrivals(1, DAY));
        assert_ne!(arrivals(1, DAY), arrivals(2, DAY));
    }

    #[test]
    fn a_day_has_a_trickle_bursts_and_a_fleet_of_fifty() {
        let arrivals = arrivals(1, DAY);
        let fleet = arrivals.iter().filter(|arrival| arrival.at.is_zero()).count();
        assert_eq!(fleet, 42);
        let an_hour = (arrivals.len() - fleet) / 24;
        assert!((60..80).contains(&an_hour), "{an_hour}");
        let at_once = |of: &Arrival| arrivals.iter().filter(|other| other.at == of.at).count();
        let largest = arrivals[fleet..].iter().map(at_once).max();
        assert_eq!(largest, Some(16));
        let work: Duration = arrivals.iter().map(|arrival| arrival.work).sum();
        let at_work = work.as_secs_f64() / DAY.as_secs_f64();
        assert!((45.0..60.0).contains(&at_work), "{at_work}");
    }
}
