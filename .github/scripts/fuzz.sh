#!/usr/bin/env bash
# Fuzzes every target of tests/fuzz for this many seconds each, two at a time: .github/scripts/fuzz.sh [SECONDS]
# Findings are in tests/fuzz/artifacts, tried inputs in tests/fuzz/corpus; neither is committed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-30} version=0.13.2
cargo fuzz --version 2>/dev/null | grep --quiet "$version" || cargo install cargo-fuzz --locked --version "$version" --quiet
# Stable compilers allow coverage only with this variable. An address sanitizer has nothing to find in safe Rust.
RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir tests/fuzz --sanitizer none --release
programs=tests/fuzz/target/$(rustc --version --verbose | sed -n 's/^host: //p')/release

fuzz() {
    local corpus=tests/fuzz/corpus/$1 artifacts=tests/fuzz/artifacts/$1 log=tests/fuzz/$1.log
    mkdir -p "$corpus" "$artifacts"
    # An input is small and takes milliseconds and little memory. The time-out is in real time, which a busy machine stretches.
    if ! "$programs/$1" "$corpus" "tests/fuzz/seeds/$1" -artifact_prefix="$artifacts/" -max_total_time="$seconds" \
        -max_len=4096 -timeout=20 -rss_limit_mb=512 -malloc_limit_mb=64 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log"
        return 1
    fi
    printf '%s: %s runs\n' "$1" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
}
export -f fuzz
export programs seconds
cargo fuzz list --fuzz-dir tests/fuzz | xargs --max-procs=2 --replace bash -c 'fuzz {}'
