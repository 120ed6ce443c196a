//! The commands of the pages and of `.justfile` are ones that can be run: what they name is there. Commands of `az`, `gh` and the like are run by
//! `tests/deploy/guide.rs`.

use std::collections::BTreeSet;
use std::process::Command;

use crate::pages::{self, top};
use crate::sources::Sources;

/// Subcommands of cargo that are its own or are installed, and of which only what is general is checked.
const OF_CARGO: [&str; 11] =
    ["bench", "check", "clippy", "deny", "fmt", "fuzz", "install", "mutants", "nextest", "run", "test"];

/// The workspace's packages, and where their targets are.
const PACKAGES: [(&str, &str); 4] = [
    ("aci-scaler", ""),
    ("local-azure", "tests/local-azure/"),
    ("performance", "tests/performance/"),
    ("test-support", "tests/support/"),
];

#[test]
fn every_command_of_the_pages_names_what_is_there() {
    let sources = Sources::read();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages::all() {
        for command in commands(&page.text) {
            seen += 1;
            if let Err(reason) = check(&command, &sources) {
                wrong.push(format!("{}: {command}: {reason}", page.path));
            }
        }
    }
    assert!(seen > 60, "{seen} commands");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_recipe_of_the_justfile_is_a_command_of_the_readme_of_contributing_or_of_ci() {
    let justfile = std::fs::read_to_string(top().join(".justfile")).expect("a justfile");
    let texts = ["README.md", ".github/CONTRIBUTING.md", ".ci/run"]
        .map(|path| std::fs::read_to_string(top().join(path)).expect("a text"));
    let known: BTreeSet<_> = texts.iter().flat_map(|text| commands(text)).chain(ci(&texts[2])).collect();
    let lines: Vec<_> =
        justfile.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with('@')).collect();
    assert!(lines.len() >= 12, "{lines:?}");
    for line in lines {
        // A parameter stands for whatever the command has in its place.
        let is_known = match line.split_once("{{") {
            None => known.contains(line),
            Some((before, rest)) => {
                let after = rest.split_once("}}").expect("a parameter ends").1;
                known.iter().any(|known| known.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)))
            }
        };
        assert!(is_known, "`{line}` is in no page, nor in .ci/run");
    }
}

#[test]
fn the_justfile_has_parts_that_just_knows() {
    let justfile = std::fs::read_to_string(top().join(".justfile")).expect("a justfile");
    let mut names = BTreeSet::new();
    for line in justfile.lines().filter(|line| !line.is_empty() && !line.starts_with([' ', '#', '['])) {
        let (head, rest) = line.split_once(':').unwrap_or_else(|| panic!("{line} is no recipe"));
        assert!(rest.is_empty(), "{line}");
        let name = head.split(' ').next().expect("a name");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()) && names.insert(name), "{line}");
        for parameter in head.split(' ').skip(1) {
            let used = format!("{{{{ {} }}}}", parameter.split('=').next().expect("a name"));
            assert!(justfile.contains(&used), "{name} does not use {parameter}");
        }
    }
    assert!(names.len() > 8, "{names:?}");
}

/// The commands that `.ci/run` makes steps of.
fn ci(script: &str) -> Vec<String> {
    let mut steps: Vec<_> = script.lines().filter_map(|line| line.strip_prefix("step ")).map(str::to_owned).collect();
    assert!(steps.len() > 8, "{steps:?}");
    steps.push("bash .ci/run".to_owned());
    steps
}

/// The commands in a text: between backticks, in indented lines, and in blocks; each on one line. Those of other programs are left out.
fn commands(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let code = text.lines().filter_map(|line| line.strip_prefix("    "));
    let inline =
        text.lines().filter(|line| !line.starts_with("    ")).flat_map(|line| line.split('`').skip(1).step_by(2));
    let lines = code.chain(inline).map(|line| line.split(" # ").next().unwrap_or_default());
    let one_space = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    lines.map(|line| one_space(line.trim().trim_end_matches([';', '&']))).filter(|line| is_ours(line)).collect()
}

fn is_ours(line: &str) -> bool {
    let program = words(line).1.first().copied().unwrap_or_default();
    let is_command = words(line).1.len() > 1 || program.contains('/') && !words(line).0.is_empty();
    is_command && ["cargo", "bash", "python3", "aci-scaler"].contains(&program)
        || program.starts_with(".github/scripts/")
        || program == "curl" && line.contains("/control/")
}

/// The variables that a command begins with, and its words.
fn words(line: &str) -> (Vec<&str>, Vec<&str>) {
    let is_variable = |word: &&str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        })
    };
    let words: Vec<_> = line.split('|').next().unwrap_or_default().split_whitespace().collect();
    let variables: Vec<_> = words.iter().copied().take_while(is_variable).collect();
    (variables.clone(), words[variables.len()..].to_vec())
}

fn check(line: &str, sources: &Sources) -> Result<(), String> {
    let (variables, words) = words(line);
    for name in variables.iter().filter_map(|variable| variable.split('=').next()) {
        let is_read = sources.all().any(|source| source.contains(&format!("\"{name}\"")));
        let is_others = ["RUSTC_BOOTSTRAP", "INSTA_UPDATE", "LD_PRELOAD", "PATH"].contains(&name);
        let script = words.first().map(|program| std::fs::read_to_string(top().join(program)).unwrap_or_default());
        if !is_read && !is_others && !script.unwrap_or_default().contains(name) {
            return Err(format!("nothing reads {name}"));
        }
    }
    match words[..] {
        ["cargo", "local", ..] => cargo_local(&words[2..]),
        ["cargo", command, ..] if OF_CARGO.contains(&command) => cargo(command, &words[2..]),
        ["cargo", command, ..] => Err(format!("cargo has no {command}")),
        ["aci-scaler", ..] => scaler(&words[1..]),
        ["bash" | "python3", file, ..] => exists(file),
        [script, ..] if script.starts_with(".github/") => exists(script),
        _ => Ok(()),
    }
}

fn exists(file: &str) -> Result<(), String> {
    // Options of an interpreter come before what it runs, which is then not a file.
    if file.starts_with('-') || top().join(file).is_file() { Ok(()) } else { Err(format!("there is no {file}")) }
}

fn cargo(command: &str, words: &[&str]) -> Result<(), String> {
    let ours: Vec<_> = words.iter().copied().take_while(|word| *word != "--").collect();
    let value_of = |names: &[&str]| -> Vec<&str> {
        ours.windows(2).filter(|pair| names.contains(&pair[0])).map(|pair| pair[1]).collect()
    };
    let package = value_of(&["-p", "--package"]).first().copied().unwrap_or("aci-scaler");
    let Some((_, folder)) = PACKAGES.iter().find(|(name, _)| *name == package) else {
        return Err(format!("there is no package {package}"));
    };
    for (option, below) in [("--test", "tests"), ("--bench", "benches"), ("--bin", "src/bin")] {
        for target in value_of(&[option]) {
            let paths = [format!("{folder}{below}/{target}.rs"), format!("{folder}{below}/{target}/main.rs")];
            if !paths.iter().any(|path| top().join(path).is_file()) {
                return Err(format!("there is no {}", paths[0]));
            }
        }
    }
    for file in value_of(&["--fuzz-dir"]) {
        if !top().join(file).is_dir() {
            return Err(format!("there is no {file}"));
        }
    }
    if command == "run" && package == "aci-scaler" {
        let arguments: Vec<_> = words.iter().skip_while(|word| **word != "--").skip(1).copied().collect();
        return scaler(&arguments);
    }
    Ok(())
}

/// The scaler reads its command line; with `--help` it does nothing else.
fn scaler(arguments: &[&str]) -> Result<(), String> {
    // A page's placeholder for what may be left out is no argument.
    let arguments = arguments.iter().filter(|argument| !argument.starts_with(['[', '…']));
    let output = Command::new(env!("CARGO_BIN_EXE_aci-scaler")).args(arguments).arg("--help").output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The local Azure has the commands and options.
fn cargo_local(words: &[&str]) -> Result<(), String> {
    let source = std::fs::read_to_string(top().join("tests/local-azure/src/main.rs")).expect("its command line");
    if let Some(command) = words.first().filter(|word| !word.starts_with('-')) {
        let variant = format!("    {}{}", command[..1].to_uppercase(), &command[1..]);
        if !source.contains(&format!("{variant} {{")) {
            return Err(format!("it has no {command}"));
        }
    }
    for option in words.iter().filter_map(|word| word.strip_prefix("--")) {
        let field = format!("{}: ", option.replace('-', "_"));
        if !source.contains(&field) {
            return Err(format!("it has no --{option}"));
        }
    }
    Ok(())
}

#[test]
fn a_command_that_names_what_is_not_there_is_noticed() {
    let sources = Sources::read();
    for right in [
        "cargo test --test settings --test documents",
        "UPDATE_README=1 cargo test --test settings",
        "cargo test -p local-azure --test engine",
        "cargo bench -p local-azure --bench scale",
        "cargo run -- plan --json",
        "cargo local serve --worker-arg x",
        ".github/scripts/fuzz.sh 30",
    ] {
        assert_eq!(check(right, &sources), Ok(()), "{right}");
    }
    for wrong in [
        "cargo test --test setting",
        "UPDATE_READ=1 cargo test --test settings",
        "cargo test -p azure",
        "cargo tests",
        "cargo run -- plans",
        "cargo local serve --hosts",
        "cargo local start",
        "aci-scaler plan --jsn",
        "bash .ci/runs",
        ".github/scripts/fuz.sh",
    ] {
        assert!(check(wrong, &sources).is_err(), "{wrong}");
    }
    let text = "Run `cargo local` or\n\n    A=b cargo test --test x  # why\n    az login\n\nand `cargo`.";
    assert_eq!(commands(text), ["A=b cargo test --test x", "cargo local"]);
}
