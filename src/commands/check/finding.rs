//! The result of one check.

use std::fmt;

use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::LIMIT;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) status: Status,
    /// What was checked.
    pub(super) what: String,
    pub(super) found: String,
    /// What to do, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to_do: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Ok,
    /// It may be intended.
    Warning,
    /// Passes fail, or cannot do all of their work.
    Failure,
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { status: Status::Ok, what: what.into(), found: found.into(), to_do: None }
    }

    pub(super) fn warning(what: impl Into<String>, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { status: Status::Warning, to_do: Some(to_do.into()), ..Self::ok(what, found) }
    }

    pub(super) fn failure(what: impl Into<String>, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { status: Status::Failure, to_do: Some(to_do.into()), ..Self::ok(what, found) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, what, found, to_do } = self;
        let status = match status {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Failure => "failure",
        };
        let stop = if found.ends_with('.') { "" } else { "." };
        write!(f, "{status:<8} {what}: {found}{stop}")?;
        to_do.iter().try_for_each(|to_do| write!(f, " {to_do}"))
    }
}

/// The answer, or why there is none in time.
pub(super) fn in_time<T, E: fmt::Display>(
    until: Instant,
    answer: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, String>> {
    // A future that connects is large, and several of these run at once.
    let answer = Box::pin(answer);
    async move {
        match timeout_at(until, answer).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        }
    }
}
