#!/usr/bin/env bash
# Installs what building the static package needs: Rust's library for musl, and a C compiler for it. On Debian or Ubuntu.
set -euo pipefail

rustup target add x86_64-unknown-linux-musl
if ! command -v musl-gcc >/dev/null; then
  as_root=()
  ((EUID == 0)) || as_root=(sudo)
  "${as_root[@]}" apt-get update --quiet
  "${as_root[@]}" apt-get install --quiet --yes --no-install-recommends musl-tools
fi
