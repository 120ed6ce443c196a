//! The forms for issues, the dev container, what SECURITY.md promises, and the queries of the log have the shape that GitHub, editors, tests and
//! Azure expect.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::guarantees;
use crate::pages::{page, top};
use crate::sources::Sources;
use crate::table::Table;

#[test]
fn every_promise_of_the_security_page_names_tests_that_exist() {
    let sources = Sources::read();
    let table = Table::headed(&page(".github/SECURITY.md").text, "Promise");
    assert!(table.rows.len() > 5, "{} promises", table.rows.len());
    let missing: Vec<_> = table.rows.iter().flat_map(|row| guarantees::missing(&row[0], &row[1], &sources)).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn issue_forms_have_the_parts_that_github_requires() {
    const TYPES: [&str; 5] = ["checkboxes", "dropdown", "input", "markdown", "textarea"];
    let folder = top().join(".github/ISSUE_TEMPLATE");
    let mut forms = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).expect("the forms' folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        assert!(!text.contains('\t'), "{name}: YAML has no tabs");
        let keys: Vec<_> =
            text.lines().filter(|line| !line.starts_with([' ', '#'])).filter_map(|line| line.split_once(':')).collect();
        if name == "config" {
            assert_eq!(keys.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["blank_issues_enabled"]);
            continue;
        }
        for required in ["name", "description"] {
            let value = keys.iter().find(|(key, _)| *key == required).map(|(_, value)| value.trim());
            assert!(value.is_some_and(|value| !value.is_empty()), "{name} has no {required}");
        }
        let (_, body) = text.split_once("\nbody:\n").unwrap_or_else(|| panic!("{name} has no body"));
        let mut ids = BTreeSet::new();
        for part in body.split("  - type: ").skip(1) {
            let kind = part.lines().next().expect("a type");
            assert!(TYPES.contains(&kind), "{name}: {kind}");
            assert!(part.contains("\n    attributes:\n"), "{name}: {part}");
            if kind == "markdown" {
                assert!(part.contains("\n      value: "), "{name}: {part}");
                continue;
            }
            let id = part.lines().find_map(|line| line.strip_prefix("    id: "));
            assert!(id.is_some_and(|id| ids.insert(id.to_owned())), "{name}: no id of its own: {part}");
            assert!(part.contains("\n      label: "), "{name}: {part}");
        }
        assert!(!ids.is_empty(), "{name} asks nothing");
        forms.insert(name);
    }
    assert_eq!(forms.into_iter().collect::<Vec<_>>(), ["bug", "feature", "question"]);
}

#[test]
fn the_dev_container_has_what_the_tests_look_for() {
    let read = |path: &str| std::fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let container: Value = serde_json::from_str(&read(".devcontainer/devcontainer.json")).expect("JSON");
    let dockerfile = container["build"]["dockerfile"].as_str().expect("it is built");
    let dockerfile = read(&format!(".devcontainer/{dockerfile}"));
    let created = container["postCreateCommand"].as_str().expect("the toolchain is installed");
    assert!(top().join(created).is_file(), "{created}");
    let features = container["features"].as_object().expect("features");
    assert!(features.keys().any(|name| name.contains("/node:")), "Node.js is missing: {features:?}");
    // What CI installs, but for an engine.
    let ci = read(".ci/run");
    let installed = ci.lines().filter_map(|line| line.trim().trim_start_matches("step ").strip_prefix("install "));
    let packages: Vec<_> = installed.filter_map(|line| line.split(' ').nth(1)).collect();
    assert!(packages.len() >= 4, "{packages:?}");
    for package in packages.into_iter().filter(|package| !["busybox-static", "docker.io"].contains(package)) {
        assert!(dockerfile.contains(&format!(" {package} ")), "{package} is missing");
    }
    for package in ["build-essential", "musl-tools", "python3-venv"] {
        assert!(
            dockerfile.contains(&format!(" {package} ")) || dockerfile.contains(&format!(" {package} \\")),
            "{package} is missing"
        );
    }
}

/// What the README says of time and cost is what the package and the guide say.
#[test]
fn the_readme_has_the_timers_tick_and_its_cost() {
    let readme = page("README.md").text;
    let function = std::fs::read_to_string(top().join("ScaleTimer/function.json")).expect("the function");
    assert!(function.contains("\"*/15 * * * * *\"") && readme.contains("every 15 s") && !readme.contains("every 30 s"));
    let costs = Table::headed(&page("docs/deploy.md").text, "A pass every");
    // The header has the times, which the table leaves out: 10, 15, 30 and 60 s.
    let cost = costs.rows[0][2].parse::<f64>().expect("US $ a month");
    assert!(readme.contains(&format!("about US $ {cost:.2} a month")), "{cost}");
}

/// A query that looks for an event, a field or a sentence finds something.
#[test]
fn what_the_queries_of_the_log_look_for_is_logged() {
    let logging = page("docs/logging.md").text;
    let queries = page("docs/operate.md").blocks("kusto");
    assert!(queries.len() >= 4, "{queries:?}");
    let names = |first_column: &str| -> BTreeSet<String> {
        let table = Table::headed(&logging, first_column);
        table.rows.iter().flat_map(|row| crate::table::code(&row[0])).map(str::to_owned).collect()
    };
    let events: BTreeSet<_> = names("event").union(&names("trouble")).cloned().collect();
    let fields: BTreeSet<_> = Table::headed(&logging, "event")
        .rows
        .iter()
        .flat_map(|row| crate::table::code(&row[2]))
        .map(str::to_owned)
        .collect();
    for query in queries {
        for text in query.split('"').skip(1).step_by(2) {
            let is_id = text.len() == 36 && text.matches('-').count() == 4;
            let is_sentence = text.contains(' ') && logging.contains(text);
            assert!(is_id || is_sentence || events.contains(text), "nothing logs {text:?}: {query}");
        }
        for field in query.split("event.").skip(1) {
            let field = field.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            assert!(field == "event" || fields.contains(field), "no event has {field}: {query}");
        }
    }
}
