//! Where settings come from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::{fs, io};

/// Named values, such as those of the process's environment.
pub trait Environment {
    /// The value of a variable, or `None` if it is not set.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, which no setting accepts.
    fn get(&self, name: &str) -> Option<String>;

    /// The names of all variables.
    fn names(&self) -> Vec<String>;

    /// The content of a file that a variable names.
    fn file(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(path)
    }
}

/// A copy of this process's environment.
///
/// It has no `Debug`, because it holds secrets.
pub struct ProcessEnvironment(BTreeMap<String, String>);

impl ProcessEnvironment {
    /// Reads this process's environment. Nothing else does.
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

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_value_that_is_not_utf8_is_marked() {
        let pair = (OsString::from("ACI_IMAGE"), OsString::from_vec(b"wor\xFFker".to_vec()));
        let environment = ProcessEnvironment::from_pairs([pair].into_iter());
        assert_eq!(environment.names(), ["ACI_IMAGE"]);
        assert_eq!(environment.get("ACI_IMAGE").as_deref(), Some("wor\u{FFFD}ker"));
        assert_eq!(environment.get("ACI_LOCATION"), None);
    }
}
