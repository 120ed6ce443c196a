#!/usr/bin/env bash
# Installs the Rust version that Cargo.toml names, with the static target, and the C compiler which that target needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
[[ -n $version ]] || { echo "::error::Cargo.toml names no rust-version"; exit 1; }
rustup toolchain install "$version" --profile minimal --component clippy,rustfmt --target x86_64-unknown-linux-musl
rustup default "$version"

as_root=()
((EUID == 0)) || as_root=(sudo)
"${as_root[@]}" apt-get update --quiet
"${as_root[@]}" apt-get install --quiet --yes --no-install-recommends musl-tools
