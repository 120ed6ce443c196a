//! The order of the scaler's modules, and that it is kept.
//!
//! * The modules of `src/` form a line: each uses only those that stand before it in [`LINE`].
//! * In a folder of modules, no module uses another that uses it in turn, be it by way of a third. What stands in the
//!   folder's `mod.rs` belongs to the folder as a whole: its modules may use it, and it uses them. What `mod.rs` only
//!   imports or exports again counts as what it stands for.
//! * Nothing of the crate is imported by a `*`, which would hide what is used.
//!
//! All `crate::`, `self::` and `super::` paths count, in code and in macros. Code under `cfg(test)` does not: tests may use
//! everything.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod check;
mod paths;
mod planted;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use tree::Tree;

/// The modules in their order.
const LINE: [&str; 17] = [
    "sync",
    "clock",
    "deadline",
    "error",
    "tls",
    "http",
    "message",
    "container_group",
    "services",
    "telemetry",
    "settings",
    "plan",
    "pass",
    "azure",
    "handler",
    "commands",
    "main",
];

#[test]
fn every_module_uses_only_those_before_it() {
    assert_eq!(check::wrong_order(&TREE.arrows, &LINE), [""; 0]);
}

#[test]
fn no_module_of_a_folder_uses_another_that_uses_it_in_turn() {
    assert_eq!(check::cycles(&TREE.arrows), [""; 0]);
}

#[test]
fn nothing_of_the_crate_is_imported_by_a_star() {
    assert_eq!(TREE.globs, [""; 0]);
}

#[test]
fn the_line_names_all_modules_and_no_others() {
    let mut line = LINE;
    line.sort_unstable();
    assert_eq!(TREE.top_modules(), line);
}

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = BTreeMap::new();
    read_folder(&root, &root, &mut sources);
    Tree::read(&sources)
});

/// The files below a folder, by their paths from the root.
fn read_folder(root: &Path, folder: &Path, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            sources.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}
