//! The `.env` file of local runs.

use std::fs;
use std::io::{self, BufRead, ErrorKind, Read};
use std::path::Path;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Adds the variables of a `.env` file to this process's environment. It overrides none that are set, and does nothing if
/// there is no such file.
///
/// They go into the process's environment because libraries read that too: `azure_identity` finds the identity endpoint
/// there. Call this before any second thread runs.
pub fn load_dot_env(path: &Path) -> Result<(), DotEnvError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(DotEnvError::Unreadable(error)),
    };
    check(&text)?;
    let mut lines = Lines::of(&text);
    let loaded = dotenvy::from_read_iter(&mut lines).load();
    loaded.map_err(|error| lines.malformed(&error))
}

/// Checks all lines, and changes nothing.
pub(super) fn check(text: &[u8]) -> Result<(), DotEnvError> {
    let mut lines = Lines::of(text);
    let read = dotenvy::from_read_iter(&mut lines).try_for_each(|variable| variable.map(drop));
    read.map_err(|error| lines.malformed(&error))
}

/// A `.env` file that exists and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DotEnvError {
    /// Fix the file's permissions.
    #[error("the .env file cannot be read")]
    Unreadable(#[source] io::Error),
    /// Fix the line. The library's own error quotes it, and it may hold a secret.
    #[error(
        "line {line} of the .env file is not NAME=value in UTF-8, with single quotes around a value of spaces, quotes, \\ or $"
    )]
    Malformed {
        /// Its number, from 1.
        line: usize,
    },
}

/// Yields one line at a time, and counts them.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { rest: text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text), number: 0 }
    }

    /// The error, with the number of its line.
    fn malformed(&self, error: &dotenvy::Error) -> DotEnvError {
        DotEnvError::Malformed {
            line: match error {
                // A quoted value may span several lines; the error names the first.
                dotenvy::Error::LineParse(read, _) => self.number - read.lines().count().saturating_sub(1),
                _ => self.number,
            },
        }
    }
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.rest.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut part = &line[..line.len().min(buffer.len())];
        self.rest.consume(part.len());
        if part.ends_with(b"\n") || (self.rest.is_empty() && !part.is_empty()) {
            self.number += 1;
        }
        part.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: impl AsRef<[u8]>) -> String {
        let error = check(text.as_ref()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "it is not quoted: {error:?}");
        error.to_string()
    }

    #[test]
    fn a_dot_env_file_need_not_be_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load_dot_env(&folder.path().join(".env")).is_ok());
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number_and_not_quoted() {
        let long = format!("# {}\n", "a comment that is longer than any buffer ".repeat(1000));
        for (before, line, wrong) in [
            ("", 1, "ACR_PASSWORD=canary 'secret\n"),
            ("# A comment.\n\n", 3, "ACR_PASSWORD"),
            ("", 1, "canary secret\nA=b\n"),
            ("A=b # Another.\r\n", 2, "ACR_PASSWORD=canary secret\r\nA=b\r\n"),
            ("A='two\nlines'\n", 3, "1=canary\n"),
            ("A=b\n", 2, "ACR_PASSWORD='canary\nthat is not\nclosed=\n"),
            ("A=b\n", 2, "ACR_PASSWORD='canary\nsecret' more\nA=b\n"),
            (&long, 2, "canary secret"),
            ("\u{FEFF}A=b\n", 2, "canary secret"),
        ] {
            let refusal = refusal(format!("{before}{wrong}"));
            assert!(refusal.starts_with(&format!("line {line} of the .env file is not ")), "{wrong:?}: {refusal}");
        }
        let refusal = refusal(b"A=b\nACR_PASSWORD=canary\xFF\n");
        assert!(refusal.starts_with("line 2 of the .env file"), "{refusal}");
    }
}
