//! Values of SQL filters and their operators. What cannot be computed is unknown; it never fails.

use std::cmp::Ordering;

use serde_amqp::Value;

use crate::service_bus::sections::{as_uuid, integer, text};

/// A value in a SQL filter.
///
/// Integers of every AMQP type are one type, wide enough for all of them. Values of types that the filter language
/// has no constants for (time stamps, decimals, described types, lists) are [`Scalar::Opaque`]: they exist, and every
/// operator on them is unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// The property is missing or null, or an operator could not be applied.
    Unknown,
    Boolean(bool),
    Integer(i128),
    Double(f64),
    Text(String),
    Opaque,
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Scalar {
    pub(crate) fn from_amqp(value: &Value) -> Self {
        if let Some(number) = integer(value) {
            return Self::Integer(number);
        }
        if let Some(text) = text(value) {
            return Self::Text(text.to_owned());
        }
        match value {
            Value::Null => Self::Unknown,
            Value::Bool(value) => Self::Boolean(*value),
            Value::Float(number) => Self::Double(f64::from(number.into_inner())),
            Value::Double(number) => Self::Double(number.into_inner()),
            Value::Char(letter) => Self::Text(letter.to_string()),
            Value::Uuid(_) => as_uuid(value).map_or(Self::Opaque, |id| Self::Text(id.to_string())),
            _ => Self::Opaque,
        }
    }

    /// Whether the values are equal, or nothing when they cannot be compared.
    pub(crate) fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Boolean(left), Self::Boolean(right)) => Some(left == right),
            (Self::Double(number), _) | (_, Self::Double(number)) if number.is_nan() => Some(false),
            _ => self.compare(other).map(Ordering::is_eq),
        }
    }

    /// How the values are ordered, or nothing when they cannot be compared.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(right)),
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            _ => self.as_double()?.partial_cmp(&other.as_double()?),
        }
    }

    /// The result of an operator; C# rules, as the service has them: integers stay integers, and text can be added.
    pub(crate) fn arithmetic(&self, operator: Arithmetic, other: &Self) -> Self {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => {
                let result = match operator {
                    Arithmetic::Add => left.checked_add(*right),
                    Arithmetic::Subtract => left.checked_sub(*right),
                    Arithmetic::Multiply => left.checked_mul(*right),
                    Arithmetic::Divide => left.checked_div(*right),
                    Arithmetic::Remainder => left.checked_rem(*right),
                };
                result.map_or(Self::Unknown, Self::Integer)
            }
            (Self::Text(left), Self::Text(right)) if operator == Arithmetic::Add => {
                Self::Text(format!("{left}{right}"))
            }
            _ => match (self.as_double(), other.as_double()) {
                (Some(left), Some(right)) => Self::Double(match operator {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                    Arithmetic::Remainder => left % right,
                }),
                _ => Self::Unknown,
            },
        }
    }

    /// Whether text matches a pattern of `%` (any text), `_` (any letter) and escaped letters.
    pub(crate) fn like(&self, pattern: &Self, escape: Option<char>) -> Option<bool> {
        let (Self::Text(text), Self::Text(pattern)) = (self, pattern) else { return None };
        let mut letters = pattern.chars();
        let mut tokens = Vec::new();
        while let Some(letter) = letters.next() {
            tokens.push(match letter {
                _ if Some(letter) == escape => Wildcard::Letter(letters.next()?),
                '%' => Wildcard::AnyText,
                '_' => Wildcard::AnyLetter,
                _ => Wildcard::Letter(letter),
            });
        }
        Some(matches(&text.chars().collect::<Vec<_>>(), &tokens))
    }

    #[expect(clippy::cast_precision_loss, reason = "promotion to double is what the language prescribes")]
    fn as_double(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }
}

enum Wildcard {
    AnyText,
    AnyLetter,
    Letter(char),
}

/// Greedy matching that goes back to the last `%` only, so that no pattern takes exponential time.
fn matches(text: &[char], pattern: &[Wildcard]) -> bool {
    let (mut at, mut token) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(token) {
            Some(Wildcard::AnyText) => {
                retry = Some((at, token));
                token += 1;
                continue;
            }
            Some(Wildcard::AnyLetter) => {}
            Some(Wildcard::Letter(letter)) if *letter == text[at] => {}
            _ => {
                let Some((from, any_text)) = retry else { return false };
                retry = Some((from + 1, any_text));
                (at, token) = (from + 1, any_text + 1);
                continue;
            }
        }
        at += 1;
        token += 1;
    }
    pattern[token..].iter().all(|rest| matches!(rest, Wildcard::AnyText))
}
