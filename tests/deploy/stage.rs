//! A folder in which one script runs, as a step of a workflow does.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A step's environment: the files that GitHub gives it, and an `az` that only records.
pub struct Stage {
    folder: TempDir,
    answers: Value,
}

/// The result of a script.
#[derive(Debug)]
pub struct Ran {
    pub succeeded: bool,
    /// Everything that it printed to either stream.
    pub printed: String,
}

/// One call of `az`.
#[derive(Debug, Deserialize)]
pub struct Call {
    pub arguments: Vec<String>,
    /// The permissions of the files that it was passed, such as `0o600`.
    pub modes: serde_json::Map<String, Value>,
}

impl Stage {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), answers: json!({}) }
    }

    /// Has `az` answer command lines that contain a text, one answer after the other; the last one repeats.
    pub fn answer(mut self, piece: &str, answers: &[Value]) -> Self {
        self.answers[piece] = Value::from(answers);
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The text of a file, empty if there is none.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Runs a script of `.github/scripts` in an environment of only what a runner provides and these variables.
    pub fn run(&self, script: &str, environment: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(repository().join(".github/scripts").join(script));
        self.execute(command.current_dir(repository()), environment)
    }

    pub fn execute(&self, command: &mut Command, environment: &[(&str, &str)]) -> Ran {
        let path = format!("{}:{}", self.stand_ins().display(), search_path());
        command.env_clear().env("PATH", path).env("PYTHONUTF8", "1").env("AZ_ANSWERS", self.answers.to_string());
        for (name, file) in [
            ("GITHUB_OUTPUT", "output"),
            ("GITHUB_STEP_SUMMARY", "summary"),
            ("AZ_RECORD", "calls"),
            ("WAITS", "waits"),
            ("GITHUB_EVENT_PATH", "event"),
            ("SETTINGS_FILE", "settings.json"),
            ("KEPT_FOLDER", "before-push"),
        ] {
            command.env(name, self.path(file));
        }
        let output = command.envs(environment.iter().copied()).output().expect("the program can be executed");
        let printed = [output.stdout, output.stderr].concat();
        Ran { succeeded: output.status.success(), printed: String::from_utf8_lossy(&printed).into_owned() }
    }

    /// The calls of `az`, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.recorded().into_iter().map(|call| serde_json::from_value(call).expect("the stand-in's own JSON")).collect()
    }

    /// How many seconds the scripts have waited in total. Here, waiting takes no time.
    pub fn waited(&self) -> u64 {
        self.text("waits").lines().map(|seconds| seconds.parse::<u64>().expect("whole seconds")).sum()
    }

    /// The command lines of `az`, in order.
    pub fn command_lines(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.arguments.join(" ")).collect()
    }

    /// The calls as they were recorded, for the real Azure CLI.
    pub fn recorded(&self) -> Vec<Value> {
        self.text("calls").lines().map(|line| serde_json::from_str(line).expect("the stand-in's own JSON")).collect()
    }

    /// The folder of the programs that only record.
    fn stand_ins(&self) -> PathBuf {
        let folder = self.path("bin");
        if !folder.exists() {
            fs::create_dir(&folder).expect("a folder of our own");
            for name in ["az", "docker", "gh"] {
                symlink(repository().join("tests/deploy/az"), folder.join(name)).expect("a new name");
            }
            // Linked directly, without a version manager's shell wrapper: scripts start Python often.
            symlink(&*PYTHON, folder.join("python3")).expect("a new name");
            for name in ["sleep", "date"] {
                symlink(repository().join("tests/deploy/clock"), folder.join(name)).expect("a new name");
            }
        }
        folder
    }
}

static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let executable = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output();
    executable.map_or_else(|_| "python3".into(), |output| String::from_utf8_lossy(&output.stdout).into_owned().into())
});

/// The top folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[expect(clippy::disallowed_methods, reason = "scripts find their programs where this test finds its own")]
fn search_path() -> String {
    std::env::var("PATH").expect("tests are started by programs that were found on it")
}
