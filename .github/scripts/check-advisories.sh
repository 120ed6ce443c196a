#!/usr/bin/env bash
# Checks the dependencies against the RustSec database, which .ci/run cannot reach everywhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

.github/scripts/install-cargo-deny.sh
cargo deny --locked check advisories
