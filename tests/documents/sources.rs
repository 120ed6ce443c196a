//! The sources of the scaler and of its tests, as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All files of Rust, by their paths from the top.
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    pub fn read() -> Self {
        let mut files = BTreeMap::new();
        for folder in ["src", "tests"] {
            read_into(&mut files, Path::new(env!("CARGO_MANIFEST_DIR")), folder);
        }
        Self(files)
    }

    /// All files of a name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &str> {
        let end = format!("/{name}");
        self.0.iter().filter(move |(path, _)| path.ends_with(&end)).map(|(_, source)| source.as_str())
    }

    /// The program's own files, by their paths, those of its tests aside.
    pub fn of_the_program(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_test = |path: &str| path.contains("/tests/") || path.ends_with("/tests.rs");
        let files = self.0.iter().map(|(path, source)| (path.as_str(), source.as_str()));
        files.filter(move |(path, _)| path.starts_with("src/") && !is_test(path))
    }

    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

/// Whether there are tests in a source.
pub fn has_tests(source: &str) -> bool {
    source.lines().any(|line| is_test_attribute(line.trim_start()))
}

/// Whether there is a test of this name in a source.
pub fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim_start).collect();
    lines.iter().enumerate().filter(|(_, line)| is_function(line, name)).any(|(at, _)| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.into_iter().any(|line| is_test_attribute(line))
    })
}

/// Whether there is a function of this name in a source.
pub fn has_function(source: &str, name: &str) -> bool {
    source.lines().any(|line| is_function(line.trim_start(), name))
}

/// Whether a path is that of a file of Rust.
pub fn is_source(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[test]") || line.starts_with("#[tokio::test")
}

fn is_function(line: &str, name: &str) -> bool {
    let rest = line.split_once("fn ").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with(['(', '<']))
}

fn read_into(files: &mut BTreeMap<String, String>, top: &Path, folder: &str) {
    for entry in fs::read_dir(top.join(folder)).expect("a folder of this repository") {
        let entry = entry.expect("a folder of this repository");
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("names here are UTF-8"));
        if entry.path().is_dir() {
            read_into(files, top, &path);
        } else if is_source(&path) {
            files.insert(path, fs::read_to_string(entry.path()).expect("sources are UTF-8"));
        }
    }
}

#[test]
fn a_test_is_a_function_with_the_attribute_of_one() {
    let source = "\
#[test]
fn one() {}

    #[tokio::test(start_paused = true)]
    #[should_panic]
    async fn another() {}

/// Not `#[test]`.
fn helper<T>() {}
";
    assert!(has_test(source, "one") && has_test(source, "another"));
    assert!(!has_test(source, "helper") && has_function(source, "helper"));
    assert!(!has_function(source, "on") && !has_function(source, "ne"));
}
