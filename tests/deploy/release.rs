//! A release: its notes and its publication.

use std::fs;

use crate::stage::{Ran, Stage};
use crate::tools::no_python;

/// The checksums of a file that contains "6" and of one that contains "7".
const SUMS: &str = "e7f6c011776e8db7cd330b54174fd76f7d0216b612387a5ffcfb81e6f0919683  a\n\
                    7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451  b\n";
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_notes_are_the_changelogs_part_of_the_version() {
    if no_python() {
        return;
    }
    let (ran, notes) = notes(&format!("v{VERSION}"));
    assert!(ran.succeeded, "{ran:?}");
    assert!(!notes.starts_with(['\n', '#']) && notes.trim().len() > 10 && !notes.contains("## ["), "{notes}");
}

#[test]
fn a_tag_that_is_not_the_version_is_no_release() {
    if no_python() {
        return;
    }
    for (tag, reason) in [
        ("v99.0.0".to_owned(), "The version in Cargo.toml is not 99.0.0"),
        (format!("v{VERSION}-rc.1"), "The version in Cargo.toml is not"),
        (VERSION.to_owned(), "not of the form"),
        (format!("v{VERSION}; touch pwned"), "not of the form"),
    ] {
        let (ran, notes) = notes(&tag);
        assert!(!ran.succeeded && ran.printed.contains(reason) && notes.is_empty(), "{tag}: {ran:?}");
    }
}

#[test]
fn a_release_has_all_files_with_their_checksums() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    let ran = publish(&stage, "v1.2.3", "6");
    assert!(ran.succeeded, "{ran:?}");
    let notes = stage.path("notes").display().to_string();
    let expected = format!("release create v1.2.3 --verify-tag --title v1.2.3 --notes-file {notes} -- SHA256SUMS a b");
    assert_eq!(stage.command_lines(), [expected]);
}

#[test]
fn a_version_with_a_suffix_is_a_prerelease() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    assert!(publish(&stage, "v1.2.3-rc.1", "6").succeeded);
    assert!(stage.command_lines()[0].contains(" --prerelease -- "));
}

#[test]
fn a_file_that_changed_on_its_way_is_not_published() {
    if no_python() {
        return;
    }
    let stage = Stage::new();
    assert!(!publish(&stage, "v1.2.3", "7").succeeded);
    assert!(stage.calls().is_empty());
}

#[test]
fn what_two_machines_made_is_published_together_if_nothing_changed_on_its_way() {
    for (sbom, good) in [("7", true), ("8", false)] {
        let stage = Stage::new();
        for (folder, name, content) in [("files", "a", "6"), ("more", "b", sbom)] {
            fs::create_dir(stage.path(folder)).expect("a folder of our own");
            fs::write(stage.path(folder).join(name), content).expect("a folder of our own");
        }
        for (folder, sum) in ["files", "more"].into_iter().zip(SUMS.lines()) {
            fs::write(stage.path(folder).join("SHA256SUMS"), format!("{sum}\n")).expect("a folder of our own");
        }
        let folder = |name: &str| stage.path(name).display().to_string();
        let ran = stage.run("gather-release.sh", &[("FILES", &folder("files")), ("MORE", &folder("more"))]);
        assert_eq!(ran.succeeded, good, "{ran:?}");
        assert_eq!(stage.text("files/SHA256SUMS") == SUMS, good);
        assert_eq!(stage.text("files/b") == "7", good);
    }
}

fn notes(tag: &str) -> (Ran, String) {
    let stage = Stage::new();
    let path = stage.path("notes").display().to_string();
    let ran = stage.run("release-notes.sh", &[("TAG", tag), ("NOTES", &path)]);
    (ran, stage.text("notes"))
}

/// Publishes two files. The first may not match its checksum.
fn publish(stage: &Stage, tag: &str, first: &str) -> Ran {
    let files = stage.path("files");
    fs::create_dir(&files).expect("a folder of our own");
    for (name, content) in [("a", first), ("b", "7"), ("SHA256SUMS", SUMS)] {
        fs::write(files.join(name), content).expect("a folder of our own");
    }
    let (files, notes) = (files.display().to_string(), stage.path("notes").display().to_string());
    stage.run("publish-release.sh", &[("TAG", tag), ("FILES", &files), ("NOTES", &notes)])
}
