#!/usr/bin/env bash
# Holds the dependencies against the RustSec database, which .ci/run cannot reach everywhere. It has installed cargo-deny.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo deny --locked check advisories
