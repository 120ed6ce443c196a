#!/usr/bin/env bash
# Installs cargo-deny at the version that the checks were made with.
set -euo pipefail

version=0.20.2
if [[ $(cargo deny --version 2>/dev/null) != "cargo-deny $version" ]]; then
  cargo install --quiet --locked cargo-deny --version "$version"
fi
