//! One assumption: what is taken for true of Azure, where that is from, and how it is found out.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::ground::Ground;

/// How long the answer to one may take on a real account, where a group alone takes minutes.
pub const PATIENCE: Duration = Duration::from_mins(8);

/// What is asked, and what the answer should be.
pub struct Assumption {
    /// Its name, which reports keep.
    pub name: &'static str,
    /// What is assumed.
    pub statement: &'static str,
    /// Where it is from.
    pub source: &'static str,
    pub certainty: Certainty,
    /// What would have to change if it were wrong: files of the local Azure, and the scaler's rules.
    pub rests_on: &'static [&'static str],
    /// The answer, in the words of the question.
    pub expected: &'static str,
    pub question: Question,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Recorded traffic of others shows it.
    Recorded,
    /// Azure's documentation or contract says it.
    Documented,
    /// It follows from something else.
    Inferred,
    /// Nobody knows; the local Azure does one of what is possible.
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

/// How it is found out.
pub type Question = for<'a> fn(&'a Ground) -> Pin<Box<dyn Future<Output = Result<String, String>> + 'a>>;

impl Assumption {
    /// What Azure answers, or what went wrong.
    pub async fn ask(&self, ground: &Ground) -> String {
        match timeout(PATIENCE, (self.question)(ground)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(problem)) => format!("could not be asked: {problem}"),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        }
    }
}
