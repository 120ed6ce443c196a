#!/usr/bin/env bash
# Installs what checking the code for Windows needs: Rust's library for it, and a C compiler for it. On Debian or Ubuntu.
set -euo pipefail

rustup target add x86_64-pc-windows-gnu
if ! command -v x86_64-w64-mingw32-gcc >/dev/null; then
  as_root=()
  ((EUID == 0)) || as_root=(sudo)
  "${as_root[@]}" apt-get update --quiet
  "${as_root[@]}" apt-get install --quiet --yes --no-install-recommends gcc-mingw-w64-x86-64
fi
