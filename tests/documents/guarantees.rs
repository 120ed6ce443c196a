//! Every promise names what holds it, and that is there.
//!
//! In the second column of the table a name between backticks is a test, or a file of tests (`….rs`); the tests after its
//! colon are in it, up to a semicolon. A name in parentheses is a check that the tests before it make, or the file with it.

use crate::document;
use crate::sources::{Sources, has_function, has_test, has_tests, is_source};
use crate::table::Table;

#[test]
fn every_promise_names_tests_that_exist() {
    let sources = Sources::read();
    let table = Table::headed(&document("guarantees.md"), "Promise");
    assert!(table.rows.len() > 20, "{} promises", table.rows.len());
    let missing: Vec<_> = table.rows.iter().flat_map(|row| missing(&row[0], &row[1], &sources)).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// What is not there of what is said to hold a promise.
pub fn missing(promise: &str, held_by: &str, sources: &Sources) -> Vec<String> {
    let holders = holders(held_by);
    if holders.is_empty() {
        return vec![format!("{promise} Nothing holds it.")];
    }
    let missing = holders.iter().filter(|holder| !exists(holder, sources));
    missing.map(|holder| format!("{promise} There is no {holder:?}.")).collect()
}

/// What holds a promise.
#[derive(Debug, PartialEq, Eq)]
enum Holder<'a> {
    File(&'a str),
    Test { file: Option<&'a str>, name: &'a str },
    Check(&'a str),
}

fn exists(holder: &Holder<'_>, sources: &Sources) -> bool {
    match *holder {
        Holder::File(file) => sources.named(file).any(has_tests),
        Holder::Test { file: Some(file), name } => sources.named(file).any(|source| has_test(source, name)),
        Holder::Test { file: None, name } => sources.all().any(|source| has_test(source, name)),
        Holder::Check(name) if is_source(name) => sources.named(name).next().is_some(),
        Holder::Check(name) => sources.all().any(|source| has_function(source, name)),
    }
}

/// The names in a cell, in order.
fn holders(cell: &str) -> Vec<Holder<'_>> {
    let mut holders = Vec::new();
    let mut file = None;
    let pieces: Vec<_> = cell.split('`').collect();
    for name in (1..pieces.len()).step_by(2) {
        let (before, name, after) = (pieces[name - 1], pieces[name], pieces.get(name + 1).copied().unwrap_or_default());
        if before.contains(';') {
            file = None;
        }
        if before.ends_with('(') && after.starts_with(')') {
            holders.push(Holder::Check(name));
        } else if is_source(name) {
            file = after.starts_with(':').then_some(name);
            if file.is_none() {
                holders.push(Holder::File(name));
            }
        } else {
            holders.push(Holder::Test { file, name });
        }
    }
    holders
}

#[test]
fn a_cell_names_tests_files_and_checks() {
    let cell = "simulator (`check_cap`), `a.rs`: `one`, `two`; `b.rs`; `three`, each test (`c.rs`)";
    let test = |file, name| Holder::Test { file, name };
    let expected = [
        Holder::Check("check_cap"),
        test(Some("a.rs"), "one"),
        test(Some("a.rs"), "two"),
        Holder::File("b.rs"),
        test(None, "three"),
        Holder::Check("c.rs"),
    ];
    assert_eq!(holders(cell), expected);
}

#[test]
fn a_promise_without_a_test_or_with_one_that_is_not_there_is_noticed() {
    let sources = Sources::read();
    let missing = |held_by: &str| missing("Promise.", held_by, &sources);
    assert_eq!(missing("`guarantees.rs`: `a_cell_names_tests_files_and_checks`"), [""; 0]);
    assert_eq!(missing("nobody"), ["Promise. Nothing holds it."]);
    // `holders` is no test, and those that are not there are not either.
    for held_by in ["`holders`", "`table.rs`: `a_cell_names_tests_files_and_checks`", "`no.rs`", "(`not_here`)"] {
        assert_eq!(missing(held_by).len(), 1, "{held_by}");
    }
}
