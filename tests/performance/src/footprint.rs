//! The size of the released binary, and the number of crates that it is built from.

use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::ceiling::{self, MAX_BYTES, MAX_CRATES, TARGET};

use crate::Result;
use crate::document::{Check, Section, repository};
use crate::measure::mib;

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

/// Measures the binary's size and counts its crates.
pub fn section(scaler: &Path) -> Result<Section> {
    let bytes = std::fs::metadata(scaler)?.len();
    let crates = ceiling::crates(&repository())?;
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
    let unwanted = ceiling::unwanted(&crates);
    section.check(Check::new(unwanted.is_none(), || {
        format!("{unwanted:?} is there: ring is to be the only TLS provider")
    }));
    Ok(section)
}
