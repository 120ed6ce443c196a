#!/usr/bin/env bash
# Runs the demonstration on this system, with the Rust version in Cargo.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
[[ -n $version ]] || { echo "::error::Cargo.toml names no rust-version"; exit 1; }
rustup toolchain install "$version" --profile minimal
rustup default "$version"
cargo local
