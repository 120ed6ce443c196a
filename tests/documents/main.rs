//! The documents are true: the tests, files, names, links and commands in them exist, and they explain every name of the code.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod commands;
mod door;
mod events;
mod guarantees;
mod outcomes;
mod pages;
mod recipes;
mod sources;
mod table;

use std::path::Path;

/// A document of `docs`.
fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
