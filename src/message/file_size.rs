//! The size of a message's file.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

use super::InvalidMessage;

/// A file's size in MiB, finite and not negative, from the message's `file_size_mb`.
///
/// It is a decimal, so that memory is computed without rounding errors. Sizes beyond the largest [`Decimal`] (7.9 × 10²⁸)
/// are reduced to it: they get the largest group anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileSizeMb(Decimal);

impl FileSizeMb {
    /// Accepts a decimal number.
    pub fn from_decimal(value: Decimal) -> Result<Self, InvalidMessage> {
        if value.is_sign_negative() && !value.is_zero() {
            return Err(InvalidMessage::FileSizeNegative { value: value.to_string() });
        }
        Ok(Self(value.abs().normalize()))
    }

    /// Accepts a float by its shortest decimal text: 0.1 is one tenth.
    pub fn from_f64(value: f64) -> Result<Self, InvalidMessage> {
        if !value.is_finite() {
            return Err(InvalidMessage::FileSizeNotFinite { value: value.to_string() });
        }
        Self::from_text(&value.to_string())
    }

    /// Accepts a float by its shortest decimal text: 0.1 is one tenth.
    pub fn from_f32(value: f32) -> Result<Self, InvalidMessage> {
        if !value.is_finite() {
            return Err(InvalidMessage::FileSizeNotFinite { value: value.to_string() });
        }
        Self::from_text(&value.to_string())
    }

    /// Accepts a numeric string, such as `50`, `0.5` or `1e3`; white space around it is ignored.
    pub fn from_text(text: &str) -> Result<Self, InvalidMessage> {
        let trimmed = text.trim();
        if let Ok(value) = trimmed.parse().or_else(|_| Decimal::from_scientific(trimmed)) {
            return Self::from_decimal(value);
        }
        // Some numbers are too large or too long for a Decimal; an f64 is close enough for those.
        let looks_numeric = trimmed.contains(|c: char| c.is_ascii_digit());
        match trimmed.parse::<f64>() {
            Ok(value) if looks_numeric && value < 0.0 => Err(InvalidMessage::FileSizeNegative { value: clip(trimmed) }),
            Ok(value) if looks_numeric => Ok(Self(Decimal::from_f64(value).unwrap_or(Decimal::MAX).normalize())),
            Ok(_) => Err(InvalidMessage::FileSizeNotFinite { value: clip(trimmed) }),
            Err(_) => Err(InvalidMessage::FileSizeNotANumber { found: format!("the string {:?}", clip(text)) }),
        }
    }

    /// The number of MiB.
    pub fn get(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for FileSizeMb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// At most 64 characters of a sender's value, for an error text.
fn clip(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(text: &str) -> Result<String, InvalidMessage> {
        FileSizeMb::from_text(text).map(|size| size.to_string())
    }

    #[test]
    fn a_numeric_string_is_a_size() {
        const LONG: &str = "1.50000000000000000000000000000000000001e0";
        for (text, expected) in
            [("50", "50"), (" 0.30 ", "0.3"), ("1e3", "1000"), ("-0", "0"), ("+7", "7"), ("1e-40", "0"), (LONG, "1.5")]
        {
            assert_eq!(size(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_size_beyond_a_decimal_is_held_at_its_limit() {
        assert_eq!(size("1e300"), Ok(Decimal::MAX.to_string()));
        assert_eq!(FileSizeMb::from_f64(f64::MAX).map(FileSizeMb::get), Ok(Decimal::MAX));
    }

    #[test]
    fn what_is_no_finite_number_of_mib_is_refused_with_its_reason() {
        assert!(matches!(size("-1"), Err(InvalidMessage::FileSizeNegative { .. })));
        assert!(matches!(size("-1e300"), Err(InvalidMessage::FileSizeNegative { .. })));
        assert!(matches!(size("inf"), Err(InvalidMessage::FileSizeNotFinite { .. })));
        assert!(matches!(size("NaN"), Err(InvalidMessage::FileSizeNotFinite { .. })));
        assert!(matches!(size("fifty"), Err(InvalidMessage::FileSizeNotANumber { .. })));
        assert!(matches!(size(""), Err(InvalidMessage::FileSizeNotANumber { .. })));
        assert!(matches!(size("50 MB"), Err(InvalidMessage::FileSizeNotANumber { .. })));
        assert!(matches!(FileSizeMb::from_f64(f64::INFINITY), Err(InvalidMessage::FileSizeNotFinite { .. })));
        assert!(matches!(FileSizeMb::from_f64(-0.5), Err(InvalidMessage::FileSizeNegative { .. })));
    }

    #[test]
    fn a_value_that_a_sender_chose_is_clipped_in_the_reason() {
        let reason = size(&"x".repeat(10_000)).unwrap_err().to_string();
        assert!(reason.chars().count() < 200, "{reason}");
    }

    proptest! {
        #[test]
        fn a_float_is_the_decimal_that_it_prints_as(value in 0.0..1e12_f64) {
            let size = FileSizeMb::from_f64(value).unwrap().get();
            prop_assert_eq!(size, Decimal::from_str_exact(&value.to_string()).or_else(|_| value.to_string().parse()).unwrap());
        }
    }
}
