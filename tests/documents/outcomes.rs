//! `docs/operate.md` explains every outcome that there is, and no other.

use std::collections::BTreeSet;

use aci_scaler::plan::{GroupOutcome, MessageOutcome};
use strum::VariantNames as _;

use crate::document;
use crate::table::{Table, code};

const OF_MESSAGES: &str = "outcome of a message";
const OF_GROUPS: &str = "outcome of a group";

#[test]
fn the_page_on_operating_explains_every_outcome_of_a_message_and_no_other() {
    assert_eq!(names_in_the_page(OF_MESSAGES), names_in_the_code(MessageOutcome::VARIANTS));
}

#[test]
fn the_page_on_operating_explains_every_outcome_of_a_group_and_no_other() {
    assert_eq!(names_in_the_page(OF_GROUPS), names_in_the_code(GroupOutcome::VARIANTS));
}

/// The names in the first column of one of the page's tables of outcomes, which is headed like this.
fn names_in_the_page(table: &str) -> BTreeSet<String> {
    names(&Table::headed(&document("operate.md"), table))
}

fn names_in_the_code(variants: &[&str]) -> BTreeSet<String> {
    variants.iter().map(|name| (*name).to_owned()).collect()
}

fn names(table: &Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for name in table.rows.iter().flat_map(|row| code(&row[0])) {
        assert!(names.insert(name.to_owned()), "`{name}` is explained twice");
    }
    names
}

#[test]
fn the_names_of_a_table_are_those_of_its_first_column() {
    let document =
        "| outcome of a message | what it means |\n|---|---|\n| `created`, `found` | See `x`. |\n| `invalid` | |\n";
    let names = names(&Table::headed(document, OF_MESSAGES));
    assert_eq!(names, ["created", "found", "invalid"].map(str::to_owned).into());
}

/// Whoever sees a trouble in the log finds it in the page's first table.
#[test]
fn the_page_on_operating_says_what_to_do_about_every_trouble_that_somebody_must_act_on() {
    let troubles = Table::headed(&document("logging.md"), "trouble");
    let needs_somebody = |row: &&Vec<String>| row[2] != "Nobody.";
    let troubles: BTreeSet<_> =
        troubles.rows.iter().filter(needs_somebody).flat_map(|row| code(&row[0])).map(str::to_owned).collect();
    let symptoms = Table::headed(&document("operate.md"), "what you see");
    let explained: BTreeSet<_> = symptoms.rows.iter().flat_map(|row| code(&row[0])).map(str::to_owned).collect();
    let missing: Vec<_> = troubles.difference(&explained).collect();
    assert!(troubles.len() > 10 && missing.is_empty(), "{missing:?}");
}
