//! An assumption about Azure, its source, and how to test it.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::ground::Ground;

/// The time-out of one on a real account, where a group alone takes minutes.
pub const PATIENCE: Duration = Duration::from_mins(8);

/// An assumption about Azure.
pub struct Assumption {
    /// Its name, which reports refer to.
    pub name: &'static str,
    /// The statement.
    pub statement: &'static str,
    /// Its source.
    pub source: &'static str,
    pub certainty: Certainty,
    /// What would have to change if it were wrong: files of the local Azure, and rules of the scaler.
    pub rests_on: &'static [&'static str],
    /// The expected answer, in the words of the question.
    pub expected: &'static str,
    pub question: Question,
}

/// How certain it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Traffic that others recorded shows it.
    Recorded,
    /// Azure's documentation or API contract says it.
    Documented,
    /// It follows from something else.
    Inferred,
    /// Unknown; the local Azure implements one of the possibilities.
    Open,
}

impl Certainty {
    pub fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Documented => "documented",
            Self::Inferred => "inferred",
            Self::Open => "open",
        }
    }
}

/// How to test it.
pub type Question = for<'a> fn(&'a Ground) -> Pin<Box<dyn Future<Output = Result<String, String>> + 'a>>;

impl Assumption {
    /// The answer of Azure, or what went wrong.
    pub async fn ask(&self, ground: &Ground) -> String {
        match timeout(PATIENCE, (self.question)(ground)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(problem)) => format!("could not be asked: {problem}"),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        }
    }
}
