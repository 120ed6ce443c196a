//! How often a fault happens: always, a number of times, or by chance with a seed.

use serde::Serialize;

/// Decides each time whether it happens. Two with the same seed decide the same.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Occurrence {
    /// How many occurrences are skipped before the first one.
    #[serde(skip_serializing_if = "is_zero")]
    spared: u32,
    /// How many more times; always when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u32>,
    #[serde(flatten)]
    chance: Option<Chance>,
}

#[derive(Clone, Debug, Serialize)]
struct Chance {
    probability: f64,
    seed: u64,
    #[serde(skip)]
    random: fastrand::Rng,
}

impl Occurrence {
    /// Skips the first occurrences.
    pub(crate) fn sparing_first(self, spared: u32) -> Self {
        Self { spared, ..self }
    }

    /// Only this many times.
    pub(crate) fn times(self, times: u32) -> Self {
        Self { left: Some(times), ..self }
    }

    /// Each time with this probability, between 0 and 1.
    pub(crate) fn with_probability(self, probability: f64, seed: u64) -> Self {
        Self { chance: Some(Chance { probability, seed, random: fastrand::Rng::with_seed(seed) }), ..self }
    }

    /// Whether it happens this time; if so, that is counted.
    pub(crate) fn happens(&mut self) -> bool {
        if self.spared > 0 {
            self.spared -= 1;
            return false;
        }
        let is_due = |chance: &mut Chance| chance.random.f64() < chance.probability;
        if self.left == Some(0) || !self.chance.as_mut().is_none_or(is_due) {
            return false;
        }
        self.left = self.left.map(|left| left - 1);
        true
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(spared: &u32) -> bool {
    *spared == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(mut occurrence: Occurrence) -> Vec<bool> {
        (0..1000).map(|_| occurrence.happens()).collect()
    }

    #[test]
    fn the_same_seed_repeats_every_decision_and_another_does_not() {
        let seeded = |seed| decisions(Occurrence::default().with_probability(0.5, seed));
        assert_eq!(seeded(7), seeded(7));
        assert_ne!(seeded(7), seeded(8));
    }

    #[test]
    fn a_probability_is_kept_and_its_ends_are_never_and_always() {
        let count = |probability| {
            let decided = decisions(Occurrence::default().with_probability(probability, 1));
            decided.into_iter().filter(|happens| *happens).count()
        };
        assert_eq!([count(0.0), count(1.0)], [0, 1000]);
        assert!((200..400).contains(&count(0.3)), "{}", count(0.3));
    }

    #[test]
    fn only_what_happens_is_counted() {
        let decided = decisions(Occurrence::default().times(3).with_probability(0.1, 1));
        assert_eq!(decided.iter().filter(|happens| **happens).count(), 3);
        assert!(!decided[..3].iter().all(|happens| *happens));
    }

    #[test]
    fn what_is_spared_comes_first_and_is_not_counted() {
        let decided = decisions(Occurrence::default().times(2).sparing_first(3));
        assert_eq!(decided[..6], [false, false, false, true, true, false]);
    }
}
