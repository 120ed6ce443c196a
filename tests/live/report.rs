//! The results: a table for people, and a report in JSON to keep.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::assumption::Assumption;

/// The answers, by the names of the assumptions.
pub type Answers = BTreeMap<&'static str, String>;

pub struct Report<'a> {
    pub assumptions: &'a [Assumption],
    pub local: Answers,
    /// Nothing if no account was tested.
    pub live: Option<Answers>,
}

impl Report<'_> {
    /// Whether the local Azure answers as the list says.
    pub fn holds_locally(&self) -> bool {
        self.assumptions.iter().all(|assumption| self.local[assumption.name] == assumption.expected)
    }

    /// A line for each assumption, and what rests on those that do not hold.
    pub fn table(&self) -> String {
        let width = self.assumptions.iter().map(|assumption| assumption.name.len()).max().unwrap_or_default();
        let wide = self.local.values().map(String::len).max().unwrap_or_default();
        let mut table = format!("\n{:width$}  {:wide$}  live\n", "assumption", "local");
        for assumption in self.assumptions {
            let live = self.live.as_ref().map_or("not asked", |live| live[assumption.name].as_str());
            let local = &self.local[assumption.name];
            _ = writeln!(table, "{:width$}  {local:wide$}  {live}", assumption.name);
        }
        for assumption in self.assumptions {
            let answers = [Some(&self.local), self.live.as_ref()].into_iter().flatten().map(|it| &it[assumption.name]);
            for answer in answers.filter(|answer| *answer != assumption.expected) {
                _ = writeln!(
                    table,
                    "\n{}: `{answer}` in the place of `{}`. On it rest {}.",
                    assumption.name,
                    assumption.expected,
                    assumption.rests_on.join(", ")
                );
            }
        }
        table
    }

    pub fn json(&self) -> String {
        let entry = |assumption: &Assumption| {
            json!({
                "name": assumption.name,
                "statement": assumption.statement,
                "source": assumption.source,
                "certainty": assumption.certainty.word(),
                "rests_on": assumption.rests_on,
                "expected": assumption.expected,
                "local": self.local[assumption.name],
                "live": self.live.as_ref().map(|live| &live[assumption.name]),
            })
        };
        let entries: Value = self.assumptions.iter().map(entry).collect();
        format!("{entries:#}\n")
    }
}
