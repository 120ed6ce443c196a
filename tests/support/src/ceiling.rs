//! How large the released binary may be, and what it may be built from. The benchmark prints it; the tests of the package check
//! it.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;

/// What is released: one static binary.
pub const TARGET: &str = "x86_64-unknown-linux-musl";

/// A cold start of a Function App downloads and unpacks the binary; with 10 MB that takes a second or so.
pub const MAX_BYTES: u64 = 10_000_000;

/// Each crate is code to trust and to update. The two generations of Azure's SDK and AMQP bring nearly all of today's 222;
/// more than this ceiling needs a reason.
pub const MAX_CRATES: usize = 222;

/// The crates of a second TLS provider. There must be only one, ring.
pub const UNWANTED: [&str; 5] = ["openssl", "openssl-sys", "native-tls", "aws-lc-sys", "aws-lc-rs"];

/// Names and versions of all crates that are built for the scaler's binary, macros included.
///
/// # Errors
/// When `cargo tree` cannot be run, or fails.
pub fn crates(repository: &Path) -> io::Result<BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .current_dir(repository)
        .args(["tree", "--locked", "--package", "aci-scaler", "--edges", "normal,build", "--target", TARGET])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}"])
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
    }
    let tree = String::from_utf8_lossy(&output.stdout);
    Ok(tree.lines().map(|line| line.split(" (").next().unwrap_or(line).to_owned()).collect())
}

/// The first of the crates that must not be there.
pub fn unwanted(crates: &BTreeSet<String>) -> Option<&String> {
    crates.iter().find(|line| line.split(' ').next().is_some_and(|name| UNWANTED.contains(&name)))
}
