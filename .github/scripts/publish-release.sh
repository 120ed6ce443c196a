#!/usr/bin/env bash
# Publishes a release with its files and notes.
#
# In:  GH_TOKEN, GH_REPO   as gh reads them
#      TAG                 v1.2.3; a version with a suffix is a pre-release
#      FILES, NOTES        what release-files.sh and release-notes.sh made
set -euo pipefail

cd "$FILES"
sha256sum --check --quiet SHA256SUMS
options=(--verify-tag --title "$TAG" --notes-file "$NOTES")
[[ $TAG != *-* ]] || options+=(--prerelease)
gh release create "$TAG" "${options[@]}" -- *
