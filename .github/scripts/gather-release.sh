#!/usr/bin/env bash
# Puts a release's files, which two machines made, into one folder with one list of checksums. Each must match its own list.
#
# In:  FILES   the folder of the first, which receives the others
#      MORE    the folder of the others
set -euo pipefail

for folder in "$FILES" "$MORE"; do
  (cd "$folder" && sha256sum --check --quiet --strict SHA256SUMS)
done
sums=$(sort --key=2 "$FILES/SHA256SUMS" "$MORE/SHA256SUMS")
rm "$MORE/SHA256SUMS"
mv --no-clobber "$MORE"/* "$FILES"
printf '%s\n' "$sums" >"$FILES/SHA256SUMS"
