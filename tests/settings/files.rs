//! The files that hold or describe settings: `.env`, `local.settings.json` and the README's tables.

use std::fmt::Write;
use std::path::PathBuf;

use aci_scaler::settings::{CONCERNS, Fallback, Setting, Settings, all_settings, unknown_settings};

use crate::Variables;

#[test]
fn both_files_for_local_runs_load_without_error_or_warning() {
    for variables in [dot_env(), local_settings()] {
        Settings::from_environment(&variables).unwrap();
        assert_eq!(unknown_settings(&variables), []);
    }
}

#[test]
fn both_files_for_local_runs_agree() {
    let mut local_settings = local_settings();
    assert_eq!(local_settings.remove("FUNCTIONS_WORKER_RUNTIME").as_deref(), Some("custom"));
    assert_eq!(local_settings.remove("AzureWebJobsStorage").as_deref(), Some("UseDevelopmentStorage=true"));
    assert_eq!(local_settings, dot_env());
}

#[test]
fn the_env_file_names_every_setting_and_its_default() {
    let text = read(".env");
    let set = dot_env();
    for setting in all_settings().filter(|setting| !setting.name.ends_with('*') && !set.contains_key(setting.name)) {
        let Fallback::Default(default) = setting.fallback else {
            assert!(text.contains(&format!("\n# {}=\n", setting.name)), "{}", setting.name);
            continue;
        };
        assert!(text.contains(&format!("\n# {}={default}\n", setting.name)), "{}", setting.name);
    }
}

/// The settings that the README shows first: the required ones, and those that most users choose.
const FIRST: [&str; 10] = [
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_RESOURCE_GROUP",
    "SB_NAMESPACE",
    "SB_TOPIC_NAME",
    "ACI_IMAGE",
    "ACI_NAME_PREFIX",
    "ACI_LOCATION",
    "ACI_MAX_INSTANCES",
    "ACI_MEMORY_MULTIPLIER",
    "INSTANCE_*",
];

#[test]
fn the_readme_shows_the_required_settings_first() {
    let required = all_settings().filter(|setting| setting.fallback == Fallback::Required);
    let missing: Vec<_> = required.map(|setting| setting.name).filter(|name| !FIRST.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?} are required and not in FIRST");
}

/// With `UPDATE_README` in the environment, this brings the tables up to date instead.
#[test]
fn the_tables_in_the_readme_are_up_to_date() {
    const BEGIN: &str = "<!-- settings:begin -->\n";
    const END: &str = "<!-- settings:end -->\n";
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has a settings:begin marker");
    let (_, after) = rest.split_once(END).expect("README.md has a settings:end marker");
    let expected = format!("{before}{BEGIN}{}{END}{after}", tables());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(path("README.md"), expected).unwrap();
    } else {
        assert!(readme == expected, "README.md is stale: run `UPDATE_README=1 cargo test --test settings`");
    }
}

/// The settings that matter first, then the others by concern.
fn tables() -> String {
    let first = FIRST.map(|name| all_settings().find(|setting| setting.name == name).expect(name));
    let mut tables = format!("### The ten that matter first\n\n{}", table(&first));
    for concern in &CONCERNS {
        let others: Vec<_> =
            concern.settings.iter().copied().filter(|setting| !FIRST.contains(&setting.name)).collect();
        write!(tables, "\n### {}\n\n{}", concern.title, table(&others)).unwrap();
    }
    tables
}

fn table(settings: &[&Setting]) -> String {
    let mut table = "| Variable | Default | Meaning | Accepted |\n|---|---|---|---|\n".to_owned();
    for setting in settings {
        let default = match setting.fallback {
            Fallback::Required => "**required**".to_owned(),
            Fallback::Default(default) => format!("`{default}`"),
            Fallback::Optional => String::new(),
        };
        writeln!(table, "| `{}` | {default} | {} | {} |", setting.name, setting.doc, setting.accepts).unwrap();
    }
    table
}

fn dot_env() -> Variables {
    dotenvy::from_path_iter(path(".env")).unwrap().collect::<Result<_, _>>().unwrap()
}

fn local_settings() -> Variables {
    let settings: serde_json::Value = serde_json::from_str(&read("local.settings.json")).unwrap();
    assert_eq!(settings["IsEncrypted"], false);
    serde_json::from_value(settings["Values"].clone()).unwrap()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap()
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)
}
