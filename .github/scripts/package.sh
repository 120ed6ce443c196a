#!/usr/bin/env bash
# Builds the package for a Function App: a zip with host.json, ScaleTimer/ and the scaler as one static binary.
#
#   package.sh [--output FILE] [--schedule NCRONTAB] [--target TRIPLE] [--binary FILE]
#
#   --output FILE     the zip (target/package/aci-scaler.zip)
#   --schedule NCRONTAB
#                     when the timer fires, instead of the schedule in ScaleTimer/function.json: "0 * * * * *" is once a
#                     minute
#   --target TRIPLE   what to build for (x86_64-unknown-linux-musl). Another target, such as x86_64-unknown-linux-gnu
#                     where there is no musl, makes a package for local tests: it needs this machine's libraries.
#   --binary FILE     packages this binary, for local tests, and builds nothing
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

static_target=x86_64-unknown-linux-musl
# A cold start fetches and unpacks the package; 10 MB keep that to a second or so.
max_bytes=10000000

fail() {
  echo "error: $1" >&2
  exit 1
}

output=target/package/aci-scaler.zip target=$static_target
binary=''
schedule=''
while (($#)); do
  [[ $# -ge 2 ]] || fail "$1 needs a value"
  case $1 in
    --output) output=$2 ;;
    --schedule) schedule=$2 ;;
    --target) target=$2 ;;
    --binary) binary=$2 ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done

if [[ -n $binary || $target != "$static_target" ]]; then
  echo "note: this package is for local tests only; a Function App needs the $static_target one" >&2
fi
if [[ -z $binary ]]; then
  # C code among the dependencies (the TLS provider's) is compiled against musl too.
  CC_x86_64_unknown_linux_musl=musl-gcc \
    cargo build --release --locked --package aci-scaler --bin aci-scaler --target "$target"
  binary=${CARGO_TARGET_DIR:-target}/$target/release/aci-scaler
  if [[ $target == "$static_target" ]]; then
    # Listed first: grep may leave before readelf has written all.
    headers=$(readelf --wide --program-headers "$binary")
    ! grep --quiet INTERP <<<"$headers" || fail "$binary is not static"
    bytes=$(stat --format=%s "$binary")
    ((bytes <= max_bytes)) || fail "$binary has $bytes bytes, more than $max_bytes"
  fi
fi

mkdir -p "$(dirname "$output")"
python3 .github/scripts/zip-package.py "$output" "$binary" "$schedule"
