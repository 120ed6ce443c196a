//! Where settings come from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// Named values, such as those of the process's environment.
pub trait Environment {
    /// The value of a variable, or nothing if there is no such variable.
    ///
    /// What is not UTF-8 in it is U+FFFD, which no setting accepts.
    fn get(&self, name: &str) -> Option<String>;

    /// The names of all variables.
    fn names(&self) -> Vec<String>;
}

/// The environment of this process, as it was when it was read.
///
/// It has no `Debug`: most of what it holds is nobody's business.
pub struct ProcessEnvironment(BTreeMap<String, String>);

impl ProcessEnvironment {
    /// Reads the environment of this process. This is the one place that does.
    pub fn read() -> Self {
        Self::from_pairs(std::env::vars_os())
    }

    fn from_pairs(pairs: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        Self(pairs.map(|(name, value)| (lossy(name), lossy(value))).collect())
    }
}

impl Environment for ProcessEnvironment {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl Environment for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// Adds the variables of a `.env` file to the environment of this process; those that it has already stay as they are,
/// and so does all when there is no such file.
///
/// They go into the process's environment because libraries look there too: the identity endpoint is found by
/// `azure_identity` itself. To be called before any second thread runs.
pub fn load_dot_env(path: &Path) -> Result<(), DotEnvError> {
    match dotenvy::from_path(path) {
        Ok(()) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        Err(dotenvy::Error::Io(error)) => Err(DotEnvError::Unreadable(error)),
        // The library's error quotes the line, which may hold a secret.
        Err(_) => Err(DotEnvError::Malformed),
    }
}

/// A `.env` file that is there and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DotEnvError {
    /// Fix the file's permissions.
    #[error("the .env file cannot be read")]
    Unreadable(#[source] io::Error),
    /// Fix the file.
    #[error(
        "the .env file has a line that is not NAME=value, with single quotes around a value of spaces, quotes, \\ or $"
    )]
    Malformed,
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn what_is_not_utf8_is_there_and_can_be_told() {
        let pair = (OsString::from("ACI_IMAGE"), OsString::from_vec(b"wor\xFFker".to_vec()));
        let environment = ProcessEnvironment::from_pairs([pair].into_iter());
        assert_eq!(environment.names(), ["ACI_IMAGE"]);
        assert_eq!(environment.get("ACI_IMAGE").as_deref(), Some("wor\u{FFFD}ker"));
        assert_eq!(environment.get("ACI_LOCATION"), None);
    }

    #[test]
    fn a_dot_env_file_need_not_be_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load_dot_env(&folder.path().join(".env")).is_ok());
    }

    #[test]
    fn a_malformed_dot_env_file_is_refused_and_not_quoted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "ACR_PASSWORD=canary 'secret\n").unwrap();
        let error = load_dot_env(file.path()).unwrap_err();
        assert!(matches!(error, DotEnvError::Malformed));
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
