#!/usr/bin/env bash
# Makes the files of a release: the package for a Function App, the bare binary, what they were made from (SBOM), and
# the checksums of all three.
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

cargo install --quiet --locked --root target/tools/cargo cargo-cyclonedx --version 0.5.9
PATH=$PWD/target/tools/cargo/bin:$PATH cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" \
  --override-filename sbom
mv sbom.json "$folder/$name.cdx.json"
rm -f tests/*/sbom.json

cd "$folder"
sha256sum "$name"* >SHA256SUMS
cat SHA256SUMS
