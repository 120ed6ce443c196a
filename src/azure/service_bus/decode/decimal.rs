//! Decimal floating-point numbers, as senders write them.
//!
//! AMQP's `decimal32`, `decimal64` and `decimal128` are those of IEEE 754-2008 in the encoding with binary integers
//! (AMQP 1.0 part 1, section 1.6.13): a sign, an exponent with a bias, a coefficient.

/// A `decimal32` in the form that numeric strings have: `-12.5`, `1e96`, `NaN`, `inf`.
pub(super) fn text_of_32(bits: u32) -> String {
    DECIMAL32.text(bits.into())
}

/// A `decimal64`, likewise.
pub(super) fn text_of_64(bits: u64) -> String {
    DECIMAL64.text(bits.into())
}

/// A `decimal128`, likewise.
pub(super) fn text_of_128(bits: u128) -> String {
    DECIMAL128.text(bits)
}

struct Format {
    bits: u32,
    exponent_bits: u32,
    bias: i32,
    digits: u32,
}

const DECIMAL32: Format = Format { bits: 32, exponent_bits: 8, bias: 101, digits: 7 };
const DECIMAL64: Format = Format { bits: 64, exponent_bits: 10, bias: 398, digits: 16 };
const DECIMAL128: Format = Format { bits: 128, exponent_bits: 14, bias: 6176, digits: 34 };

/// The bias of a `decimal128` in Microsoft's AMQP library for .NET: it shifts the exponent's upper bits by 9 instead of 7, so
/// that 6176 − scale arrives as 1568 − scale, with a scale from 0 to 28
/// (`Microsoft.Azure.Amqp.Encoding.DecimalEncoding.EncodeValue`). By the standard such a number would be below 10⁻⁴⁶⁰⁰, and
/// no file has that size.
const DOT_NET_BIAS: i32 = 1568;
const DOT_NET_MAX_SCALE: i32 = 28;

impl Format {
    fn text(&self, bits: u128) -> String {
        let sign = if bits >> (self.bits - 1) & 1 == 1 { "-" } else { "" };
        // The five bits after the sign distinguish numbers from infinities and NaN.
        match bits >> (self.bits - 6) & 0b1_1111 {
            0b1_1111 => return "NaN".to_owned(),
            0b1_1110 => return format!("{sign}inf"),
            _ => {}
        }
        let coefficient_bits = self.bits - 1 - self.exponent_bits;
        let large = bits >> (self.bits - 3) & 0b11 == 0b11;
        // In the second form two bits move the exponent down and the coefficient gains an implied 100₂ in front.
        let (shift, implied) =
            if large { (coefficient_bits - 2, 0b100 << (coefficient_bits - 2)) } else { (coefficient_bits, 0) };
        let exponent = i32::try_from(bits >> shift & ((1 << self.exponent_bits) - 1)).unwrap_or(i32::MAX);
        let coefficient = bits & ((1 << shift) - 1) | implied;
        // A coefficient with too many digits stands for zero (IEEE 754-2008, section 3.5.2).
        let coefficient = if coefficient < 10_u128.pow(self.digits) { coefficient } else { 0 };
        format!("{sign}{}", with_exponent(coefficient, exponent - self.bias_of(exponent)))
    }

    fn bias_of(&self, exponent: i32) -> i32 {
        let by_dot_net = (DOT_NET_BIAS - DOT_NET_MAX_SCALE..=DOT_NET_BIAS).contains(&exponent);
        if self.bits == 128 && by_dot_net { DOT_NET_BIAS } else { self.bias }
    }
}

/// Digits with a point in them where they can have one: that form is exact however many digits there are.
fn with_exponent(coefficient: u128, exponent: i32) -> String {
    match usize::try_from(-exponent) {
        Ok(0) => coefficient.to_string(),
        Ok(places @ 1..=34) => {
            let digits = format!("{coefficient:0>width$}", width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            format!("{whole}.{fraction}")
        }
        _ => format!("{coefficient}e{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_of_the_python_sdk_are_read() {
        // As azure-servicebus 7.15 encodes Decimal("0"), ("50"), ("0.1"), ("-12.5"), ("1E+3"), ("123456789.123456789").
        assert_eq!(text_of_128(0x3040_0000_0000_0000_0000_0000_0000_0000), "0");
        assert_eq!(text_of_128(0x3040_0000_0000_0000_0000_0000_0000_0032), "50");
        assert_eq!(text_of_128(0x303e_0000_0000_0000_0000_0000_0000_0001), "0.1");
        assert_eq!(text_of_128(0xb03e_0000_0000_0000_0000_0000_0000_007d), "-12.5");
        assert_eq!(text_of_128(0x3046_0000_0000_0000_0000_0000_0000_0001), "1e3");
        assert_eq!(text_of_128(0x302e_0000_0000_0000_01b6_9b4b_acd0_5f15), "123456789.123456789");
    }

    #[test]
    fn decimals_of_the_dot_net_sdk_are_read_in_spite_of_their_exponent() {
        // 50m: first byte (6176 >> 9) = 0x0c, second (6176 & 0x7f) << 1 = 0x40. 12.5m: 6175 & 0x7f = 0x1f.
        assert_eq!(text_of_128(0x0c40_0000_0000_0000_0000_0000_0000_0032), "50");
        assert_eq!(text_of_128(0x0c3e_0000_0000_0000_0000_0000_0000_007d), "12.5");
    }

    #[test]
    fn the_smaller_formats_are_read() {
        assert_eq!(text_of_32((101 << 23) + 50), "50");
        assert_eq!(text_of_32((1 << 31) + (100 << 23) + 125), "-12.5");
        assert_eq!(text_of_64((398 << 53) + 50), "50");
        // The second form: 9_000_000 needs 24 bits.
        assert_eq!(text_of_32((0b11 << 29) + (101 << 21) + 9_000_000 % (1 << 21)), "9000000");
        assert_eq!(text_of_64((0b11 << 61) + (398 << 51) + 9_007_199_254_740_993 % (1 << 51)), "9007199254740993");
    }

    #[test]
    fn what_is_no_number_says_so() {
        assert_eq!(text_of_32(0x7c00_0000), "NaN");
        assert_eq!(text_of_64(0x7800_0000_0000_0000), "inf");
        assert_eq!(text_of_128(0xf800_0000_0000_0000_0000_0000_0000_0000), "-inf");
    }

    #[test]
    fn a_coefficient_with_too_many_digits_is_zero() {
        assert_eq!(text_of_32(0b11 << 29 | 101 << 21 | 0x1f_ffff), "0");
        assert_eq!(text_of_128(0x3041_ffff_ffff_ffff_ffff_ffff_ffff_ffff), "0");
    }
}
