//! SQL filters of rules, after "Subscription Rule SQL Filter Syntax" of the Service Bus documentation.
//!
//! A filter that could not be evaluated is refused when it is created: parameters, `newid()`, unknown system properties and
//! everything in SQL that the filter language does not have. Evaluation has three truth values, and only *true* accepts a
//! message.

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, InTarget, UnaryOperator, Value,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::filter::{MessageView, SystemProperty};
use super::sql_dialect::FilterDialect;
use super::sql_value::{Arithmetic, Scalar};

/// A filter expression, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct SqlFilter {
    text: String,
    predicate: Predicate,
}

/// Why an expression is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlFilterError {
    /// It does not parse.
    #[error("the filter {filter:?} is not understood: {reason}")]
    Syntax {
        /// The expression.
        filter: String,
        /// The parser's error.
        reason: String,
    },
    /// It has a part that the filter language, or this implementation of it, does not have.
    #[error("the filter {filter:?} cannot be evaluated: {part} is not supported")]
    Unsupported {
        /// The expression.
        filter: String,
        /// The part.
        part: String,
    },
}

impl SqlFilter {
    /// Parses an expression, such as `file_size_mb > 50 AND file_size_mb <= 200`.
    pub fn parse(filter: &str) -> Result<Self, SqlFilterError> {
        let syntax =
            |error: ParserError| SqlFilterError::Syntax { filter: filter.to_owned(), reason: error.to_string() };
        let mut parser = Parser::new(&FilterDialect).try_with_sql(filter).map_err(syntax)?;
        let expression = parser.parse_expr().map_err(syntax)?;
        parser.expect_token(&Token::EOF).map_err(syntax)?;
        let predicate = Predicate::compile(&expression)
            .map_err(|Unsupported(part)| SqlFilterError::Unsupported { filter: filter.to_owned(), part })?;
        Ok(Self { text: filter.to_owned(), predicate })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, message: &MessageView<'_>) -> bool {
        self.predicate.evaluate(message) == Some(true)
    }
}

/// What has a truth value.
#[derive(Clone, Debug)]
enum Predicate {
    Constant(bool),
    Not(Box<Predicate>),
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
    Compare { left: Expression, operator: Comparison, right: Expression },
    IsNull(Expression),
    In { value: Expression, list: Vec<Expression> },
    Like { value: Expression, pattern: Expression, escape: Option<char> },
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What has a value.
#[derive(Clone, Debug)]
enum Expression {
    Constant(Scalar),
    System(SystemProperty),
    User(String),
    Arithmetic { left: Box<Expression>, operator: Arithmetic, right: Box<Expression> },
}

/// The part of an expression that is not supported.
struct Unsupported(String);

impl Predicate {
    fn compile(expression: &Expr) -> Result<Self, Unsupported> {
        Ok(match expression {
            Expr::Nested(inner) => Self::compile(inner)?,
            Expr::Value(value) => match value.value {
                Value::Boolean(value) => Self::Constant(value),
                _ => return Err(unsupported(expression)),
            },
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Self::Not(Box::new(Self::compile(expr)?)),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                Self::And(Box::new(Self::compile(left)?), Box::new(Self::compile(right)?))
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                Self::Or(Box::new(Self::compile(left)?), Box::new(Self::compile(right)?))
            }
            Expr::BinaryOp { left, op, right } => Self::Compare {
                left: Expression::compile(left)?,
                operator: Comparison::compile(op).ok_or_else(|| unsupported(expression))?,
                right: Expression::compile(right)?,
            },
            Expr::IsNull(value) => Self::IsNull(Expression::compile(value)?),
            Expr::IsNotNull(value) => Self::Not(Box::new(Self::IsNull(Expression::compile(value)?))),
            Expr::In { expr, target: InTarget::List(list), negated, global: false } => {
                let list = list.iter().map(Expression::compile).collect::<Result<_, _>>()?;
                Self::In { value: Expression::compile(expr)?, list }.negated_if(*negated)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let escape = escape_char.as_deref().map(escape_letter).transpose()?;
                let (value, pattern) = (Expression::compile(expr)?, Expression::compile(pattern)?);
                Self::Like { value, pattern, escape }.negated_if(*negated)
            }
            _ => return Err(unsupported(expression)),
        })
    }

    fn negated_if(self, negated: bool) -> Self {
        if negated { Self::Not(Box::new(self)) } else { self }
    }

    /// True, false, or nothing for unknown.
    fn evaluate(&self, message: &MessageView<'_>) -> Option<bool> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Not(inner) => inner.evaluate(message).map(|value| !value),
            Self::And(left, right) => match (left.evaluate(message), right.evaluate(message)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.evaluate(message), right.evaluate(message)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Compare { left, operator, right } => {
                operator.evaluate(&left.evaluate(message), &right.evaluate(message))
            }
            Self::IsNull(value) => Some(value.evaluate(message) == Scalar::Unknown),
            Self::In { value, list } => {
                let value = value.evaluate(message);
                let equal: Vec<_> = list.iter().map(|item| value.equals(&item.evaluate(message))).collect();
                if equal.contains(&Some(true)) { Some(true) } else { (!equal.contains(&None)).then_some(false) }
            }
            Self::Like { value, pattern, escape } => value.evaluate(message).like(&pattern.evaluate(message), *escape),
        }
    }
}

impl Comparison {
    fn compile(operator: &BinaryOperator) -> Option<Self> {
        Some(match operator {
            BinaryOperator::Eq => Self::Equal,
            BinaryOperator::NotEq => Self::NotEqual,
            BinaryOperator::Lt => Self::Less,
            BinaryOperator::LtEq => Self::LessOrEqual,
            BinaryOperator::Gt => Self::Greater,
            BinaryOperator::GtEq => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn evaluate(self, left: &Scalar, right: &Scalar) -> Option<bool> {
        match self {
            Self::Equal => left.equals(right),
            Self::NotEqual => left.equals(right).map(|equal| !equal),
            Self::Less => left.compare(right).map(std::cmp::Ordering::is_lt),
            Self::LessOrEqual => left.compare(right).map(std::cmp::Ordering::is_le),
            Self::Greater => left.compare(right).map(std::cmp::Ordering::is_gt),
            Self::GreaterOrEqual => left.compare(right).map(std::cmp::Ordering::is_ge),
        }
    }
}

impl Expression {
    fn compile(expression: &Expr) -> Result<Self, Unsupported> {
        Ok(match expression {
            Expr::Nested(inner) => Self::compile(inner)?,
            Expr::Value(value) => Self::Constant(constant(&value.value).ok_or_else(|| unsupported(expression))?),
            Expr::Identifier(name) => Self::User(name.value.clone()),
            Expr::CompoundIdentifier(parts) => match &parts[..] {
                [scope, name] if scope.value.eq_ignore_ascii_case("user") => Self::User(name.value.clone()),
                [scope, name] if scope.value.eq_ignore_ascii_case("sys") => {
                    Self::System(SystemProperty::parse(&name.value).ok_or_else(|| unsupported(expression))?)
                }
                _ => return Err(unsupported(expression)),
            },
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => Self::compile(expr)?,
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Self::Arithmetic {
                left: Box::new(Self::Constant(Scalar::Integer(0))),
                operator: Arithmetic::Subtract,
                right: Box::new(Self::compile(expr)?),
            },
            Expr::BinaryOp { left, op, right } => Self::Arithmetic {
                left: Box::new(Self::compile(left)?),
                operator: arithmetic(op).ok_or_else(|| unsupported(expression))?,
                right: Box::new(Self::compile(right)?),
            },
            Expr::Function(function) => Self::User(property_name(function).ok_or_else(|| unsupported(expression))?),
            _ => return Err(unsupported(expression)),
        })
    }

    fn evaluate(&self, message: &MessageView<'_>) -> Scalar {
        match self {
            Self::Constant(value) => value.clone(),
            Self::System(property) => message.system_property(*property),
            Self::User(name) => message.application_property(name),
            Self::Arithmetic { left, operator, right } => {
                left.evaluate(message).arithmetic(*operator, &right.evaluate(message))
            }
        }
    }
}

fn constant(value: &Value) -> Option<Scalar> {
    Some(match value {
        Value::Number(digits, _) => match digits.parse::<i64>() {
            Ok(number) => Scalar::Integer(number.into()),
            Err(_) if digits.contains(['.', 'e', 'E']) => Scalar::Double(digits.parse().ok()?),
            Err(_) => return None,
        },
        Value::SingleQuotedString(text) => Scalar::Text(text.clone()),
        Value::Boolean(value) => Scalar::Boolean(*value),
        Value::Null => Scalar::Unknown,
        _ => return None,
    })
}

fn arithmetic(operator: &BinaryOperator) -> Option<Arithmetic> {
    Some(match operator {
        BinaryOperator::Plus => Arithmetic::Add,
        BinaryOperator::Minus => Arithmetic::Subtract,
        BinaryOperator::Multiply => Arithmetic::Multiply,
        BinaryOperator::Divide => Arithmetic::Divide,
        BinaryOperator::Modulo => Arithmetic::Remainder,
        _ => return None,
    })
}

/// The name in `property('name')` or `p('name')`. It may be computed on the service; here it is a constant.
fn property_name(function: &sqlparser::ast::Function) -> Option<String> {
    let name = function.name.to_string().to_lowercase();
    let FunctionArguments::List(arguments) = &function.args else { return None };
    match (name.as_str(), &arguments.args[..]) {
        ("property" | "p", [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(name)))]) => match &name.value {
            Value::SingleQuotedString(name) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn escape_letter(escape: &Expr) -> Result<char, Unsupported> {
    if let Expr::Value(value) = escape
        && let Value::SingleQuotedString(text) = &value.value
        && let mut letters = text.chars()
        && let (Some(letter), None) = (letters.next(), letters.next())
    {
        return Ok(letter);
    }
    Err(unsupported(escape))
}

fn unsupported(expression: &Expr) -> Unsupported {
    Unsupported(expression.to_string())
}
