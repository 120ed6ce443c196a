//! The files that hold or describe settings: `.env`, `local.settings.json` and the README's table.

use std::fmt::Write;
use std::path::PathBuf;

use aci_scaler::settings::{Fallback, Settings, all_settings, unknown_settings};

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

/// With `UPDATE_README` in the environment, this brings the table up to date instead.
#[test]
fn the_table_in_the_readme_is_up_to_date() {
    const BEGIN: &str = "<!-- settings:begin -->\n";
    const END: &str = "<!-- settings:end -->\n";
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has a settings:begin marker");
    let (_, after) = rest.split_once(END).expect("README.md has a settings:end marker");
    let expected = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(path("README.md"), expected).unwrap();
    } else {
        assert!(readme == expected, "README.md is stale: run `UPDATE_README=1 cargo test --test settings`");
    }
}

fn table() -> String {
    let mut table = "| Variable | Default | Meaning | Accepted |\n|---|---|---|---|\n".to_owned();
    for setting in all_settings() {
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
