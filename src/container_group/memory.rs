//! Memory of a container group, in tenths of a GB.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Serialize, Serializer};

use crate::message::FileSizeMb;

/// An amount of memory, in the steps of 0.1 GB that Azure sells it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryGb {
    tenths: u32,
}

impl MemoryGb {
    /// Accepts a number of GB, above zero and a multiple of 0.1.
    pub fn from_decimal(gb: Decimal) -> Result<Self, InvalidMemory> {
        let tenths = gb.checked_mul(Decimal::TEN).filter(Decimal::is_integer).and_then(|tenths| tenths.to_u32());
        match tenths {
            Some(tenths) if tenths > 0 => Ok(Self { tenths }),
            _ => Err(InvalidMemory),
        }
    }

    /// The memory that a file of this size needs: GiB of file × `multiplier`, rounded up to the next 0.1 GB and
    /// kept within `min` and `max`.
    pub fn for_file(size: FileSizeMb, multiplier: Decimal, min: Self, max: Self) -> Self {
        // Tenths of a GB = MiB × multiplier × 10 / 1024. The multiplication comes first and the division of a decimal
        // by 1024 is exact to 28 digits, so rounding up sees what is there and no dust. Whatever overflows is above
        // every maximum.
        let tenths = size
            .get()
            .checked_mul(multiplier)
            .and_then(|product| product.checked_mul(Decimal::TEN))
            .and_then(|product| product.checked_div(Decimal::from(1024)))
            .and_then(|tenths| tenths.ceil().to_u32());
        tenths.map_or(max, |tenths| Self { tenths }).clamp(min, max)
    }

    /// So many times as much, rounded up to the next 0.1 GB. What is too much to count is the most that can be counted.
    pub(super) fn times(self, factor: Decimal) -> Self {
        let tenths = Decimal::from(self.tenths).checked_mul(factor).and_then(|tenths| tenths.ceil().to_u32());
        Self { tenths: tenths.unwrap_or(u32::MAX) }
    }

    /// The number of GB, exactly.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(i64::from(self.tenths), 1).normalize()
    }

    /// The number of GB as the float nearest to it, which prints with at most one decimal.
    pub fn to_f64(self) -> f64 {
        f64::from(self.tenths) / 10.0
    }
}

impl fmt::Display for MemoryGb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_decimal())
    }
}

impl Serialize for MemoryGb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_f64())
    }
}

/// A number of GB that no container group can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number of GB above 0 and in steps of 0.1 is accepted")]
pub struct InvalidMemory;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gb(text: &str) -> MemoryGb {
        MemoryGb::from_decimal(text.parse().unwrap()).unwrap()
    }

    fn for_file(mib: &str, multiplier: &str) -> String {
        let size = FileSizeMb::from_text(mib).unwrap();
        MemoryGb::for_file(size, multiplier.parse().unwrap(), gb("0.5"), gb("240")).to_string()
    }

    #[test]
    fn memory_is_file_size_times_multiplier_rounded_up_to_a_tenth() {
        assert_eq!(for_file("128", "8"), "1");
        assert_eq!(for_file("129", "8"), "1.1");
        assert_eq!(for_file("50", "8"), "0.5");
        assert_eq!(for_file("180", "8"), "1.5");
        assert_eq!(for_file("500", "8"), "4");
        assert_eq!(for_file("1024", "8"), "8");
    }

    #[test]
    fn there_is_no_floating_point_dust() {
        assert_eq!(for_file("1024", "0.7"), "0.7");
        assert_eq!(for_file("3072", "0.7"), "2.1");
        assert_eq!(for_file("1024", "1.1"), "1.1");
        assert_eq!(serde_json::to_string(&gb("0.3")).unwrap(), "0.3");
    }

    #[test]
    fn memory_stays_within_its_bounds() {
        assert_eq!(for_file("0", "8"), "0.5");
        assert_eq!(for_file("1e300", "8"), "240");
        assert_eq!(for_file("1e27", "1000000"), "240");
    }

    #[test]
    fn only_tenths_above_zero_are_memory() {
        for bad in ["0", "-1", "0.05", "1.25", "1e20"] {
            let bad = Decimal::from_scientific(bad).or_else(|_| bad.parse()).unwrap();
            assert_eq!(MemoryGb::from_decimal(bad), Err(InvalidMemory), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn memory_is_the_least_tenth_that_is_enough(mib in 0u32..30_000, multiplier in 1u32..1000) {
            let multiplier = Decimal::new(multiplier.into(), 2);
            let memory = MemoryGb::for_file(FileSizeMb::from_decimal(mib.into()).unwrap(), multiplier, gb("0.1"), gb("100000"));
            let needed = Decimal::from(mib) * multiplier;
            let enough = |memory: Decimal| memory * Decimal::from(1024) >= needed;
            prop_assert!(enough(memory.to_decimal()));
            prop_assert!(memory == gb("0.1") || !enough(memory.to_decimal() - Decimal::new(1, 1)));
        }
    }
}
