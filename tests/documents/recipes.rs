//! What `.github/CONTRIBUTING.md` and the rules of `docs/architecture.md` name is there: each file, and after `file`: each name
//! that is said to be in it.

use crate::pages::{page, top};

#[test]
fn each_recipe_names_files_and_names_in_them_that_are_there() {
    let page = page(".github/CONTRIBUTING.md");
    let (_, recipes) = page.text.split_once("\n## Recipes\n").expect("there are recipes");
    let recipes: Vec<_> = recipes.split("\n### ").skip(1).map(|recipe| recipe.split("\n## ").next().unwrap()).collect();
    assert_eq!(recipes.len(), 4, "for a setting, an outcome, a fault and an event");
    for recipe in recipes {
        let references = references(recipe);
        assert!(references.len() >= 6, "{references:#?}");
        assert!(references.iter().filter(|reference| reference.name.is_some()).count() >= 4, "{references:#?}");
    }
    assert_eq!(missing(&page.text), [""; 0]);
}

#[test]
fn the_rules_of_the_architecture_are_in_files_that_are_there() {
    let page = page("docs/architecture.md");
    assert!(references(&page.text).len() > 20);
    assert_eq!(missing(&page.text), [""; 0]);
}

/// A file, and perhaps a name in it.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    file: &'a str,
    name: Option<&'a str>,
}

/// The files in a text, and the names that follow each after a colon, up to the end of the sentence.
fn references(text: &str) -> Vec<Reference<'_>> {
    let mut references = Vec::new();
    let mut file = None;
    let pieces: Vec<_> = text.split('`').collect();
    for at in (1..pieces.len()).step_by(2) {
        let (before, code, after) = (pieces[at - 1], pieces[at], pieces.get(at + 1).copied().unwrap_or_default());
        if before.contains(['.', ';', '\n']) && !before.trim_matches([',', ' ', '\n']).is_empty() {
            file = None;
        }
        if is_path(code) {
            references.push(Reference { file: code, name: None });
            file = after.starts_with(':').then_some(code);
        } else if let Some(file) = file {
            references.push(Reference { file, name: Some(code) });
        }
    }
    references
}

/// Whether it looks like a path of this repository: not a command, a pattern or a placeholder.
fn is_path(code: &str) -> bool {
    const TOPS: [&str; 5] = ["src/", "tests/", "docs/", ".github/", "ScaleTimer/"];
    let is_plain = !code.contains([' ', '*', '<', '…']) && !code.contains("...");
    is_plain && (TOPS.iter().any(|top| code.starts_with(top)) || [".env", ".justfile", ".ci/run"].contains(&code))
}

/// The references to what is not there.
fn missing(text: &str) -> Vec<String> {
    let missing = references(text).into_iter().filter(|Reference { file, name }| {
        let path = top().join(file);
        match name {
            // What the fuzzer finds is not committed.
            None => !path.exists() && !file.contains("/artifacts"),
            Some(name) => !std::fs::read_to_string(path).is_ok_and(|text| has_word(&text, name)),
        }
    });
    missing.map(|reference| format!("{reference:?}")).collect()
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

#[test]
fn a_name_belongs_to_the_file_before_it_in_its_sentence() {
    let text = "Add it to `src/a.rs`: `One`,\n   `two`. Then run `cargo test`, and see `docs/b.md` and `c`.";
    let expected = [("src/a.rs", None), ("src/a.rs", Some("One")), ("src/a.rs", Some("two")), ("docs/b.md", None)];
    assert_eq!(references(text), expected.map(|(file, name)| Reference { file, name }));
    assert!(has_word("a fn two() {}", "two") && !has_word("twofold, two_of", "two"));
    assert_eq!(missing("`src/lib.rs`: `no_such_name`; `src/no.rs`").len(), 2);
}
