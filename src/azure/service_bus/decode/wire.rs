//! Reads AMQP values from untrusted bytes.
//!
//! It borrows, allocates nothing and never recurses, so that a message costs only time in proportion to its length, whatever
//! it contains. `serde_amqp` would be simpler, but it recurses as deep as the bytes say, and rejects a whole message for one
//! odd value.
//!
//! Source: AMQP 1.0 part 1, sections 1.2 (encodings) and 1.6 (primitive types).

/// A value, decoded as far as needed here.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Boolean,
    Unsigned(u64),
    Signed(i64),
    Float(f32),
    Double(f64),
    Decimal32(u32),
    Decimal64(u64),
    Decimal128(u128),
    Character,
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
    Binary(&'a [u8]),
    /// Text that may not be UTF-8.
    String(&'a [u8]),
    /// Text that may not be ASCII.
    Symbol(&'a [u8]),
    List(Values<'a>),
    /// Keys and values in turn.
    Map(Values<'a>),
    Array,
    /// A descriptor and a value in turn.
    Described(Values<'a>),
}

impl Value<'_> {
    /// The value's type with its article, for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean => "a boolean",
            Value::Unsigned(_) | Value::Signed(_) => "an integer",
            Value::Float(_) | Value::Double(_) => "a floating-point number",
            Value::Decimal32(_) | Value::Decimal64(_) | Value::Decimal128(_) => "a decimal number",
            Value::Character => "a character",
            Value::Timestamp(_) => "a timestamp",
            Value::Uuid(_) => "a uuid",
            Value::Binary(_) => "binary",
            Value::String(_) => "a string",
            Value::Symbol(_) => "a symbol",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Array => "an array",
            Value::Described(_) => "a value of a described type",
        }
    }
}

/// Bytes that are not a valid AMQP value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("it ends in the middle of a value")]
    Truncated,
    #[error("it has the unknown format code 0x{0:02x}")]
    UnknownFormatCode(u8),
}

/// A sequence of values. It ends after the last one, or after the first malformed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next two values, if there are two.
    pub(super) fn next_pair(&mut self) -> Option<Result<(Value<'a>, Value<'a>), Malformed>> {
        let first = self.next()?;
        let second = self.next()?;
        Some(first.and_then(|first| Ok((first, second?))))
    }

    /// The value of a textual key; an unreadable value hides those after it.
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let mut rest = self.clone();
        while let Some(Ok((found, value))) = rest.next_pair() {
            if let Value::String(text) | Value::Symbol(text) = found
                && text == key.as_bytes()
            {
                return Some(value);
            }
        }
        None
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Result<Value<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let value = take_value(&mut self.0);
        if value.is_err() {
            self.0 = &[];
        }
        Some(value)
    }
}

fn take_value<'a>(rest: &mut &'a [u8]) -> Result<Value<'a>, Malformed> {
    if rest.first() == Some(&DESCRIBED) {
        return take_described(rest);
    }
    let (code, content) = take_encoded(rest)?;
    primitive(code, content)
}

/// The format code of a described type: a descriptor and a value follow.
const DESCRIBED: u8 = 0x00;

/// A descriptor or a described value may itself be described, so a counter tracks what remains to be read.
fn take_described<'a>(rest: &mut &'a [u8]) -> Result<Value<'a>, Malformed> {
    let start = rest.get(1..).ok_or(Malformed::Truncated)?;
    *rest = start;
    let mut awaited = 2_usize;
    while awaited > 0 {
        if rest.first() == Some(&DESCRIBED) {
            *rest = &rest[1..];
            awaited += 1;
        } else {
            take_encoded(rest)?;
            awaited -= 1;
        }
    }
    Ok(Value::Described(Values(&start[..start.len() - rest.len()])))
}

/// Takes the code and the content of a value that is not described. The code's first digit says how long the content
/// is (section 1.2, table of subcategories).
fn take_encoded<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [u8]), Malformed> {
    let code = take(rest, 1)?[0];
    let content = match code >> 4 {
        0x4 => &[],
        0x5 => take(rest, 1)?,
        0x6 => take(rest, 2)?,
        0x7 => take(rest, 4)?,
        0x8 => take(rest, 8)?,
        0x9 => take(rest, 16)?,
        0xa | 0xc | 0xe => {
            let length = take(rest, 1)?[0];
            take(rest, length.into())?
        }
        0xb | 0xd | 0xf => {
            let length = u32::from_be_bytes(fixed(take(rest, 4)?)?);
            take(rest, usize::try_from(length).map_err(|_| Malformed::Truncated)?)?
        }
        _ => return Err(Malformed::UnknownFormatCode(code)),
    };
    Ok((code, content))
}

fn primitive(code: u8, content: &[u8]) -> Result<Value<'_>, Malformed> {
    Ok(match code {
        0x40 => Value::Null,
        0x41 | 0x42 | 0x56 => Value::Boolean,
        0x43 | 0x44 => Value::Unsigned(0),
        0x50 | 0x52 | 0x53 => Value::Unsigned(u8::from_be_bytes(fixed(content)?).into()),
        0x60 => Value::Unsigned(u16::from_be_bytes(fixed(content)?).into()),
        0x70 => Value::Unsigned(u32::from_be_bytes(fixed(content)?).into()),
        0x80 => Value::Unsigned(u64::from_be_bytes(fixed(content)?)),
        0x51 | 0x54 | 0x55 => Value::Signed(i8::from_be_bytes(fixed(content)?).into()),
        0x61 => Value::Signed(i16::from_be_bytes(fixed(content)?).into()),
        0x71 => Value::Signed(i32::from_be_bytes(fixed(content)?).into()),
        0x81 => Value::Signed(i64::from_be_bytes(fixed(content)?)),
        0x72 => Value::Float(f32::from_be_bytes(fixed(content)?)),
        0x82 => Value::Double(f64::from_be_bytes(fixed(content)?)),
        0x74 => Value::Decimal32(u32::from_be_bytes(fixed(content)?)),
        0x84 => Value::Decimal64(u64::from_be_bytes(fixed(content)?)),
        0x94 => Value::Decimal128(u128::from_be_bytes(fixed(content)?)),
        0x73 => Value::Character,
        0x83 => Value::Timestamp(i64::from_be_bytes(fixed(content)?)),
        0x98 => Value::Uuid(fixed(content)?),
        0xa0 | 0xb0 => Value::Binary(content),
        0xa1 | 0xb1 => Value::String(content),
        0xa3 | 0xb3 => Value::Symbol(content),
        // A count comes first, as wide as the length. The length alone says where the values end.
        0x45 => Value::List(Values(&[])),
        0xc0 => Value::List(Values(content.get(1..).ok_or(Malformed::Truncated)?)),
        0xd0 => Value::List(Values(content.get(4..).ok_or(Malformed::Truncated)?)),
        0xc1 => Value::Map(Values(content.get(1..).ok_or(Malformed::Truncated)?)),
        0xd1 => Value::Map(Values(content.get(4..).ok_or(Malformed::Truncated)?)),
        0xe0 | 0xf0 => Value::Array,
        _ => return Err(Malformed::UnknownFormatCode(code)),
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
    *rest = left;
    Ok(taken)
}

fn fixed<const N: usize>(content: &[u8]) -> Result<[u8; N], Malformed> {
    content.try_into().map_err(|_| Malformed::Truncated)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_amqp::described::Described;
    use serde_amqp::descriptor::Descriptor;
    use serde_amqp::primitives::{OrderedMap, Symbol};
    use serde_amqp::{Value as Encoded, to_vec};

    use super::*;

    fn one(bytes: &[u8]) -> Value<'_> {
        let mut values = Values::new(bytes);
        let value = values.next().unwrap().unwrap();
        assert_eq!(values.next(), None);
        value
    }

    #[test]
    fn every_width_of_an_integer_is_read() {
        for number in [0, 1, 127, 128, 255, 256, 65_536, u32::MAX] {
            assert_eq!(one(&to_vec(&number).unwrap()), Value::Unsigned(number.into()));
            assert_eq!(one(&to_vec(&u64::from(number)).unwrap()), Value::Unsigned(number.into()));
            assert_eq!(one(&to_vec(&-i64::from(number)).unwrap()), Value::Signed(-i64::from(number)));
        }
        assert_eq!(one(&to_vec(&i8::MIN).unwrap()), Value::Signed(-128));
        assert_eq!(one(&to_vec(&i16::MIN).unwrap()), Value::Signed(-32_768));
        assert_eq!(one(&to_vec(&7_u8).unwrap()), Value::Unsigned(7));
        assert_eq!(one(&to_vec(&700_u16).unwrap()), Value::Unsigned(700));
    }

    #[test]
    fn a_map_is_searched_by_string_and_by_symbol() {
        let mut map = OrderedMap::new();
        map.insert(Encoded::Uint(1), Encoded::List(vec![Encoded::Null; 300]));
        map.insert(Encoded::Symbol(Symbol::from("a")), Encoded::Int(5));
        map.insert(Encoded::String("b".into()), Encoded::Bool(true));
        let bytes = to_vec(&Encoded::Map(map)).unwrap();
        let Value::Map(entries) = one(&bytes) else { panic!() };
        assert_eq!(entries.get("a"), Some(Value::Signed(5)));
        assert_eq!(entries.get("b"), Some(Value::Boolean));
        assert_eq!(entries.get("c"), None);
    }

    #[test]
    fn a_described_value_is_one_value() {
        let inner = Described { descriptor: Descriptor::Code(1), value: Encoded::Int(3) };
        let outer = Described { descriptor: Descriptor::Code(2), value: Encoded::Described(Box::new(inner)) };
        let bytes = to_vec(&Encoded::List(vec![Encoded::Described(Box::new(outer)), Encoded::Int(4)])).unwrap();
        let Value::List(mut values) = one(&bytes) else { panic!() };
        assert!(matches!(values.next(), Some(Ok(Value::Described(_)))));
        assert_eq!(values.next(), Some(Ok(Value::Signed(4))));
        assert_eq!(values.next(), None);
    }

    #[test]
    fn a_million_nested_descriptors_are_no_stack_overflow() {
        assert_eq!(Values::new(&vec![0; 1 << 20]).next(), Some(Err(Malformed::Truncated)));
    }

    #[test]
    fn a_length_beyond_the_end_is_malformed() {
        assert_eq!(Values::new(&[0xb0, 0xff, 0xff, 0xff, 0xff, 1]).next(), Some(Err(Malformed::Truncated)));
        assert_eq!(Values::new(&[0x30]).next(), Some(Err(Malformed::UnknownFormatCode(0x30))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for value in Values::new(&bytes) {
                if let Ok(Value::List(values) | Value::Map(values) | Value::Described(values)) = value {
                    let _ = values.get("a");
                    prop_assert!(values.count() <= bytes.len());
                }
            }
        }
    }
}
