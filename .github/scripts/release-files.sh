#!/usr/bin/env bash
# Builds a release's package for a Function App and its bare binary, and their checksums. No third-party program runs here except
# the compiler and the crates' build scripts.
#
# In:  TAG     v1.2.3
#      FILES   the folder for them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=x86_64-unknown-linux-musl
name=aci-scaler-${TAG#v}
mkdir -p "$FILES"
folder=$(cd "$FILES" && pwd)

.github/scripts/package.sh --output "$folder/$name-function-app.zip"

# The same input makes the same tarball.
tar --create --gzip --file "$folder/$name-$target.tar.gz" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
  --mode=u=rwX,go=rX \
  --directory "$PWD" LICENSE-APACHE LICENSE-MIT \
  --directory "$PWD/${CARGO_TARGET_DIR:-target}/$target/release" aci-scaler

cd "$folder"
sha256sum "$name"* >SHA256SUMS
cat SHA256SUMS
