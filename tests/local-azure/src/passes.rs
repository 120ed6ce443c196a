//! What the scaler's last passes did, for people.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::clock;
use crate::functions_host::Outcome;

/// How many passes are kept.
const MAX_PASSES: usize = 15;

/// How many messages, and groups, of one pass are kept: as many as people read, because the page requests all passes each second.
const MAX_LISTED: usize = 200;

/// The last passes. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Passes(Arc<Mutex<VecDeque<Pass>>>);

/// A pass that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Pass {
    /// When it was reported.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What is known of it.
    #[serde(flatten)]
    pub result: PassResult,
}

/// What is known of a pass.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PassResult {
    /// The scaler's report.
    Report(Value),
    /// Why there is no report.
    Failure(String),
}

impl Passes {
    /// Adds what the Functions host got.
    pub fn add_outcome(&self, outcome: Outcome) {
        match outcome {
            Outcome::Succeeded { return_value, .. } if is_report(&return_value) => self.add_report(return_value),
            // Such as that of an invocation during a pass.
            Outcome::Succeeded { .. } => {}
            Outcome::Failed { reason } => self.add(PassResult::Failure(reason)),
            Outcome::TimedOut => self.add(PassResult::Failure("it did not end in time and was killed".to_owned())),
        }
    }

    /// Adds a report, of the scaler's command `once` for example; of very many messages or groups only the first.
    pub fn add_report(&self, mut report: Value) {
        for list in ["messages", "groups"] {
            if let Some(Value::Array(list)) = report.get_mut(list) {
                list.truncate(MAX_LISTED);
            }
        }
        self.add(PassResult::Report(report));
    }

    /// The passes, newest first.
    pub fn latest(&self) -> Vec<Pass> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    fn add(&self, result: PassResult) {
        let mut passes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if passes.len() == MAX_PASSES {
            passes.pop_front();
        }
        passes.push_back(Pass { at: clock::now(), result });
    }
}

/// Whether this may be the report of a pass: it lists messages and groups.
pub(crate) fn is_report(value: &Value) -> bool {
    value["messages"].is_array() && value["groups"].is_array()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_reports_and_failures_are_passes_and_the_oldest_are_forgotten() {
        let passes = Passes::default();
        let returned = |return_value| Outcome::Succeeded { return_value, logs: Vec::new() };
        passes.add_outcome(returned(json!({ "skipped": "a pass is already running" })));
        assert!(passes.latest().is_empty());
        for number in 0..MAX_PASSES {
            passes.add_outcome(returned(json!({ "messages": [], "groups": [], "number": number })));
        }
        passes.add_outcome(Outcome::Failed { reason: "broken".to_owned() });
        let latest: Vec<_> = passes.latest().into_iter().map(|pass| pass.result).collect();
        assert_eq!(latest.len(), MAX_PASSES);
        assert_eq!(latest[0], PassResult::Failure("broken".to_owned()));
        passes.add_report(json!({ "messages": vec![1; MAX_LISTED + 1], "groups": [] }));
        let PassResult::Report(long) = &passes.latest()[0].result else { panic!("{passes:?}") };
        assert_eq!(long["messages"].as_array().unwrap().len(), MAX_LISTED);
        let PassResult::Report(oldest) = &latest[MAX_PASSES - 1] else { panic!("{latest:?}") };
        assert_eq!(oldest["number"], 1);
    }
}
