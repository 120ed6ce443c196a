#!/usr/bin/env bash
# Installs cargo-deny in the version that the configuration was written for.
set -euo pipefail

version=0.20.2
if [[ $(cargo deny --version 2>/dev/null) != "cargo-deny $version" ]]; then
  cargo install --quiet --locked cargo-deny --version "$version"
fi
