//! Errors as the log tells them.

use std::error::Error;
use std::iter;

/// An error and what caused it, in one line.
pub fn chain(error: &dyn Error) -> String {
    let causes = iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
