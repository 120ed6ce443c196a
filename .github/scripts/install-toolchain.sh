#!/usr/bin/env bash
# Installs the Rust version that Cargo.toml names, and what building the static package needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
[[ -n $version ]] || { echo "::error::Cargo.toml names no rust-version"; exit 1; }
rustup toolchain install "$version" --profile minimal --component clippy,rustfmt
rustup default "$version"
.github/scripts/install-static-target.sh
