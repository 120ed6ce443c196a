//! The checks, tried on sources with something wrong in them.

use std::collections::BTreeMap;

use crate::check::{cycles, wrong_order};
use crate::tree::Tree;

const LINE: [&str; 3] = ["low", "high", "main"];

/// A crate with two modules in a line, of which the higher one is a folder; these files are added or replaced.
fn tree(files: &[(&str, &str)]) -> Tree {
    let rest = [
        ("lib.rs", "mod low; mod high;"),
        ("main.rs", "fn main() { aci_scaler::high::run() }"),
        ("low.rs", ""),
        ("high/mod.rs", "mod one; mod two; pub use two::Two; struct Both; use crate::low::Low;"),
        ("high/one.rs", ""),
        ("high/two.rs", "use super::Both; struct Two;"),
    ];
    let sources: BTreeMap<_, _> =
        rest.iter().chain(files).map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Tree::read(&sources)
}

fn backwards(low: &str) -> Vec<String> {
    wrong_order(&tree(&[("low.rs", low)]).arrows, &LINE)
}

#[test]
fn what_runs_forwards_is_fine() {
    let tree = tree(&[]);
    assert_eq!(tree.arrows.len(), 2, "main uses high, and high uses low");
    assert_eq!(wrong_order(&tree.arrows, &LINE), [""; 0]);
    assert_eq!(cycles(&tree.arrows), [""; 0]);
}

#[test]
fn a_path_that_runs_backwards_is_found_wherever_it_is() {
    for low in [
        "use crate::high::run;",
        "use crate::{high};",
        "use crate::{high::{self, Two as Other}, other::Thing};",
        "pub(crate) use super::high::run;",
        "fn low() -> crate::high::Two { todo!() }",
        "fn low() { assert!(matches!(1, crate::high::ONE)); }",
        "mod inner { use super::super::high; }",
        "#[cfg(not(test))] use crate::high::run;",
        "#[cfg(test)] fn only_in_tests() {} fn low() { crate::high::run(); }",
        "#[cfg(test)] use std::{fmt, io}; fn low() { crate::high::run(); }",
    ] {
        let found = backwards(low);
        assert!(!found.is_empty() && found.iter().all(|path| path.contains(" uses high")), "{low}: {found:?}");
    }
}

#[test]
fn tests_comments_texts_and_visibilities_use_nothing() {
    for low in [
        "#[cfg(test)] mod tests { use crate::high::run; }",
        "#[cfg(test)] use crate::high::{run, Two};",
        "#[cfg(test)] fn only_in_tests() { crate::high::run(); }",
        "//! See [`crate::high`].\nconst TEXT: &str = \"crate::high::run\"; // crate::high",
        "pub(crate) struct Low; impl Low { fn new(self) { self.0.high(); } }",
    ] {
        assert_eq!(backwards(low), [""; 0], "{low}");
    }
}

#[test]
fn a_module_of_tests_is_not_read() {
    let tree = tree(&[("low.rs", "#[cfg(test)] mod tests;"), ("low/tests.rs", "use crate::high::run;")]);
    assert_eq!(wrong_order(&tree.arrows, &LINE), [""; 0]);
}

#[test]
fn a_module_that_the_line_does_not_name_may_not_be_used() {
    let tree = tree(&[("lib.rs", "mod low; mod high; mod new;"), ("new.rs", ""), ("low.rs", "use crate::new::New;")]);
    assert_eq!(wrong_order(&tree.arrows, &LINE), ["low uses new::New"]);
    assert_eq!(tree.top_modules(), ["high", "low", "main", "new"]);
}

#[test]
fn a_cycle_in_a_folder_is_found_by_whatever_name_it_comes() {
    for one in [
        "use super::two::Two;",
        "use super::Two;",
        "use crate::high::Two;",
        "fn one() -> super::two::Two { todo!() }",
        "mod inner { use super::super::two::Two; }",
    ] {
        let tree = tree(&[("high/one.rs", one), ("high/two.rs", "use super::one::One;")]);
        assert_eq!(cycles(&tree.arrows).len(), 2, "{one}");
    }
}

#[test]
fn a_cycle_may_go_round_by_a_third_module() {
    let tree = tree(&[
        ("high/mod.rs", "mod one; mod two; mod three;"),
        ("high/one.rs", "use super::two::Two;"),
        ("high/two.rs", "use super::three::Three;"),
        ("high/three/mod.rs", "mod deep;"),
        ("high/three/deep.rs", "use super::super::one::One;"),
    ]);
    assert_eq!(
        cycles(&tree.arrows),
        ["high::one uses high::two::Two", "high::three::deep uses high::one::One", "high::two uses high::three::Three"]
    );
}

#[test]
fn what_a_folder_has_in_its_mod_file_may_be_used_by_its_modules() {
    let tree = tree(&[
        ("high/one.rs", "use super::{Both, Two};"),
        ("high/mod.rs", "mod one; mod two; use one::One; use two::Two; struct Both;"),
    ]);
    assert_eq!(cycles(&tree.arrows), [""; 0]);
}

#[test]
fn a_star_that_hides_what_is_used_is_found() {
    assert_eq!(tree(&[("high/one.rs", "use super::*;")]).globs, ["high::one uses high::*"]);
    assert_eq!(tree(&[("high/one.rs", "use crate::low::Enum::*;")]).globs, [""; 0]);
}
