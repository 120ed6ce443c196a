#!/usr/bin/env bash
# Writes a release's notes: its version's section of docs/CHANGELOG.md. Fails if there is none, or if
# Cargo.toml has another version.
#
# In:  TAG     v1.2.3
#      NOTES   the file to write
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
  echo "::error title=Release::$1"
  exit 1
}

[[ $TAG =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "The tag is not of the form v1.2.3"
version=${TAG#v}
[[ $(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1) == "$version" ]] ||
  fail "The version in Cargo.toml is not $version"

mkdir -p "$(dirname "$NOTES")"
awk -v heading="## [$version]" '
  /^## / { inside = index($0, heading) == 1; next }
  /^\[[^]]*\]: / { next }
  inside
' docs/CHANGELOG.md | sed -e '/./,$!d' >"$NOTES"
[[ -s $NOTES ]] || fail "docs/CHANGELOG.md says nothing about $version"
