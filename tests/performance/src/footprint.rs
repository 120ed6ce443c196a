//! The size of the binary that is released, and the number of crates that it is built from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::document::{Check, Section, repository};
use crate::measure::mib;

/// What is released: one static binary.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// A cold start of a Function App fetches and unpacks the binary; 10 MB keep that to a second or so.
const MAX_BYTES: u64 = 10_000_000;

/// Each crate is code to trust and to update. The two generations of Azure's SDK and AMQP bring nearly all of today's 217; what
/// goes past this ceiling wants an argument.
const MAX_CRATES: usize = 220;

/// Builds the binary as `.github/scripts/package.sh` does.
pub fn build() -> Result<PathBuf> {
    let root = repository().canonicalize()?;
    let built = Command::new(env!("CARGO"))
        .current_dir(&root)
        .env("CC_x86_64_unknown_linux_musl", "musl-gcc")
        .args(["build", "--release", "--locked", "--package", "aci-scaler", "--bin", "aci-scaler", "--target", TARGET])
        .status()?;
    if !built.success() {
        return Err("the scaler could not be built".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(TARGET).join("release/aci-scaler"))
}

/// Weighs the binary and counts its crates.
pub fn section(scaler: &Path) -> Result<Section> {
    let bytes = std::fs::metadata(scaler)?.len();
    let crates = crates()?;
    let mut section = Section::new("footprint", &["footprint", "measured", "ceiling"]);
    section.row(vec![
        "size of the binary".to_owned(),
        format!("{:.2} MiB", mib(bytes / 1024)),
        format!("{:.2} MiB", mib(MAX_BYTES / 1024)),
    ]);
    section.row(vec!["crates that are built for it".to_owned(), crates.len().to_string(), MAX_CRATES.to_string()]);
    section.check(Check::new(bytes <= MAX_BYTES, || format!("the binary has {bytes} bytes, more than {MAX_BYTES}")));
    section
        .check(Check::new(crates.len() <= MAX_CRATES, || format!("{} crates, more than {MAX_CRATES}", crates.len())));
    for unwanted in ["openssl", "openssl-sys", "native-tls", "aws-lc-sys", "aws-lc-rs"] {
        let found = crates.iter().any(|line| line.split(' ').next() == Some(unwanted));
        section.check(Check::new(!found, || format!("{unwanted} is there: ring is to be the only TLS provider")));
    }
    Ok(section)
}

/// Names and versions of all crates that are built for the scaler's binary, macros included.
fn crates() -> Result<BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .current_dir(repository())
        .args(["tree", "--locked", "--package", "aci-scaler", "--edges", "normal,build", "--target", TARGET])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}"])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let tree = String::from_utf8(output.stdout)?;
    Ok(tree.lines().map(|line| line.split(" (").next().unwrap_or(line).to_owned()).collect())
}
