//! Random numbers that are the same for the same seed, on every machine.

use std::ops::Range;

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range.
    pub fn within(&mut self, range: Range<i64>) -> i64 {
        let width = range.end.abs_diff(range.start).max(1);
        range.start.saturating_add_unsigned(self.next() % width)
    }

    /// Whether something happens that does in this many of a thousand cases.
    pub fn chance(&mut self, per_mille: i64) -> bool {
        self.within(0..1000) < per_mille
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let index = self.within(0..i64::try_from(of.len()).expect("lists are short"));
        of[usize::try_from(index).expect("it is not negative")]
    }
}
