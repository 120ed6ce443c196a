//! The lexical rules of the filter language.

use sqlparser::ast::Expr;
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// The lexical rules of the filter language, and its `EXISTS (property)`.
#[derive(Debug)]
pub(super) struct FilterDialect;

impl Dialect for FilterDialect {
    fn is_delimited_identifier_start(&self, letter: char) -> bool {
        matches!(letter, '"' | '[')
    }

    fn is_identifier_start(&self, letter: char) -> bool {
        letter.is_alphabetic()
    }

    fn is_identifier_part(&self, letter: char) -> bool {
        letter.is_alphanumeric() || letter == '_'
    }

    fn supports_numeric_prefix(&self) -> bool {
        false
    }

    /// The parser takes what follows EXISTS for a query; here it is the name of a property.
    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let negated = parser.parse_keywords(&[Keyword::NOT, Keyword::EXISTS]);
        if !negated && !parser.parse_keyword(Keyword::EXISTS) {
            return None;
        }
        let mut property = || {
            parser.expect_token(&Token::LParen)?;
            let property = Box::new(parser.parse_expr()?);
            parser.expect_token(&Token::RParen)?;
            Ok(if negated { Expr::IsNull(property) } else { Expr::IsNotNull(property) })
        };
        Some(property())
    }
}
