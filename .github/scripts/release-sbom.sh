#!/usr/bin/env bash
# Lists a release's components as a CycloneDX SBOM, with its checksum.
#
# In:  TAG     v1.2.3
#      FILES   the folder for both
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

name=aci-scaler-${TAG#v}
mkdir -p "$FILES"
folder=$(cd "$FILES" && pwd)

cargo install --quiet --locked --root target/tools/cargo cargo-cyclonedx --version 0.5.9
PATH=$PWD/target/tools/cargo/bin:$PATH cargo cyclonedx --quiet --format json --spec-version 1.5 \
  --target x86_64-unknown-linux-musl --override-filename sbom
mv sbom.json "$folder/$name.cdx.json"
rm -f tests/*/sbom.json

cd "$folder"
sha256sum "$name"* >SHA256SUMS
cat SHA256SUMS
