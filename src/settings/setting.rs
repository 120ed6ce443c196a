//! What a setting is: one environment variable, described once for the parser, the errors and the README.

use std::fmt;
use std::ops::RangeInclusive;

use rust_decimal::Decimal;

/// One environment variable.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name; one that ends in `*` stands for all variables with that prefix.
    pub name: &'static str,
    pub doc: &'static str,
    /// What its value must be.
    pub accepts: Accepts,
    pub fallback: Fallback,
    /// Whether its value must never be shown.
    pub secret: bool,
}

/// What the value of a setting must be. Its `Display` reads well after "expected".
#[derive(Clone, Debug)]
pub enum Accepts {
    /// What the setting's own parser accepts, in words.
    Text(&'static str),
    /// A whole number in this range.
    Whole(RangeInclusive<u32>),
    /// A number above zero.
    Decimal { max: u32, decimals: u32 },
    /// A number above zero, or zero for none.
    DecimalOrZero { max: u32, decimals: u32 },
    /// A number from one on.
    Factor { max: u32, decimals: u32 },
    /// Yes or no.
    Flag,
}

/// What applies if the setting is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The scaler does not start.
    Required,
    /// This value is used.
    Default(&'static str),
    /// The setting's doc says.
    Optional,
}

impl Accepts {
    /// The whole number that the text stands for, if it is accepted.
    pub(super) fn whole<T: std::str::FromStr>(&self, text: &str) -> Option<T> {
        let number: u32 = text.parse().ok()?;
        let accepted = matches!(self, Self::Whole(range) if range.contains(&number));
        accepted.then(|| text.parse().ok())?
    }

    /// The decimal number that the text stands for, if it is accepted.
    pub(super) fn decimal(&self, text: &str) -> Option<Decimal> {
        let number = text.parse::<Decimal>().ok()?.normalize();
        let accepted = matches!(self, Self::Decimal { max, decimals } | Self::DecimalOrZero { max, decimals }
            if number > Decimal::ZERO && number <= Decimal::from(*max) && number.scale() <= *decimals)
            || matches!(self, Self::DecimalOrZero { .. }) && number.is_zero()
            || matches!(self, Self::Factor { max, decimals }
                if number >= Decimal::ONE && number <= Decimal::from(*max) && number.scale() <= *decimals);
        accepted.then_some(number)
    }

    /// The boolean that the text stands for, if it is accepted.
    pub(super) fn flag(&self, text: &str) -> Option<bool> {
        match (self, text.to_ascii_lowercase().as_str()) {
            (Self::Flag, "true" | "yes" | "1") => Some(true),
            (Self::Flag, "false" | "no" | "0") => Some(false),
            _ => None,
        }
    }
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(words) => f.write_str(words),
            Self::Whole(range) => write!(f, "a whole number from {} to {}", range.start(), range.end()),
            Self::Decimal { max, decimals: 1 } => write!(f, "a number above 0 and up to {max}, with at most 1 decimal"),
            Self::Decimal { max, decimals } => {
                write!(f, "a number above 0 and up to {max}, with at most {decimals} decimals")
            }
            Self::DecimalOrZero { max, decimals } => {
                write!(f, "0 or a number above it and up to {max}, with at most {decimals} decimals")
            }
            Self::Factor { max, decimals } => write!(f, "a number from 1 to {max}, with at most {decimals} decimals"),
            Self::Flag => f.write_str("true or false (or yes, no, 1, 0)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_within_its_bounds_and_nothing_else() {
        let accepts = Accepts::Whole(1..=64);
        assert_eq!(accepts.whole::<u32>("1"), Some(1));
        assert_eq!(accepts.whole::<u32>("64"), Some(64));
        for bad in ["0", "65", "-1", "1.5", "1e1", "four", "99999999999"] {
            assert_eq!(accepts.whole::<u32>(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_decimal_number_is_above_zero_and_has_no_more_decimals_than_it_may() {
        let accepts = Accepts::Decimal { max: 31, decimals: 2 };
        for good in ["0.01", "31", "1.50", "2.500"] {
            assert!(accepts.decimal(good).is_some(), "{good}");
        }
        for bad in ["0", "-1", "31.01", "0.001", "two", "1,5", "NaN", "inf"] {
            assert_eq!(accepts.decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_factor_is_1_or_more() {
        let accepts = Accepts::Factor { max: 10, decimals: 2 };
        for good in ["1", "1.0", "1.25", "10"] {
            assert!(accepts.decimal(good).is_some(), "{good}");
        }
        for bad in ["0", "0.99", "10.01", "1.125", "-2", "two"] {
            assert_eq!(accepts.decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_flag_has_three_spellings_for_each_value() {
        for (text, truth) in [("TRUE", true), ("yes", true), ("1", true), ("False", false), ("no", false), ("0", false)]
        {
            assert_eq!(Accepts::Flag.flag(text), Some(truth), "{text}");
        }
        for bad in ["on", "2", "truee"] {
            assert_eq!(Accepts::Flag.flag(bad), None, "{bad}");
        }
    }
}
