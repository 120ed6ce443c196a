//! Programs that only these tests need.

use std::fs;
use std::path::Path;

use test_support::programs::missing;

/// The Azure CLI, whose parser reads the recorded command lines.
pub const AZURE_CLI: &str = "azure-cli==2.91.0";

/// Whether Python is missing, in which the scripts and the stand-in for `az` are written.
pub fn no_python() -> bool {
    missing("python3", &["--version"])
}

/// Writes a file for a program to read.
pub fn write(path: &Path, content: &str) {
    fs::write(path, content).expect("a folder of our own");
}
