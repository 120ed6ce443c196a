//! Which events become lines.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, FilterFn, filter_fn};

use super::INVOCATION_TARGET;

/// An invalid directive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{directive}` is not a log directive: it must be off, error, warn, info, debug, trace or `target=level`, joined by commas"
)]
pub struct DirectiveError {
    /// The first invalid one, or all of them.
    pub directive: String,
}

/// The most verbose level for a dependency, by its crate's name.
const CAPS: [(&str, LevelFilter); 9] = [
    // Version 0.21 prints bearer tokens and the bodies of requests, `secureValue`s included, at debug; version 1 shares its name.
    ("azure_core", LevelFilter::WARN),
    // It prints the command lines of developer tools, tenants and scopes in them, at trace.
    ("azure_identity", LevelFilter::INFO),
    // Every request's headers and URL at info and debug, redacted as it likes.
    ("typespec_client_core", LevelFilter::WARN),
    // Frames at trace, one of which holds a SAS token.
    ("fe2o3_amqp", LevelFilter::INFO),
    ("serde_amqp", LevelFilter::INFO),
    // Headers and bytes at trace. Connections, at debug, are harmless, and needed when they fail.
    ("hyper", LevelFilter::DEBUG),
    ("hyper_util", LevelFilter::DEBUG),
    ("reqwest", LevelFilter::DEBUG),
    ("rustls", LevelFilter::DEBUG),
];

/// The events that the operator wants, and the span with the invocation's id.
pub(super) fn directives(directives: &str) -> Result<EnvFilter, DirectiveError> {
    let parts: Vec<&str> = directives.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let invalid = |directive: &str| DirectiveError { directive: directive.to_owned() };
    // A single word would count as a target, so a misspelt level would silence everything else.
    let is_word = |part: &str| !part.contains(['=', '[', ']', '}']) && part.parse::<LevelFilter>().is_err();
    if let Some(word) = parts.iter().find(|part| is_word(part)) {
        return Err(invalid(word));
    }
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = builder.parse(parts.join(",")).map_err(|_| {
        let first = parts.iter().find(|part| part.parse::<Directive>().is_err());
        invalid(first.unwrap_or(&directives))
    })?;
    let span = format!("{INVOCATION_TARGET}=error").parse().expect("the directive is a constant");
    Ok(filter.add_directive(span))
}

/// Limits that no directive can raise. They are not directives themselves, because the most specific directive wins.
pub(super) fn caps() -> FilterFn {
    filter_fn(is_within_cap)
}

fn is_within_cap(event: &Metadata<'_>) -> bool {
    let name = event.target().split("::").next().unwrap_or_default();
    CAPS.iter().all(|(capped, most)| *capped != name || event.level() <= most)
}
