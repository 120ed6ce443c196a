#!/usr/bin/env bash
# Fuzzes every target of tests/fuzz for so many seconds each, two at a time: .github/scripts/fuzz.sh [SECONDS]
# What it finds is in tests/fuzz/artifacts then, and what it has tried in tests/fuzz/corpus; neither is committed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-30} version=0.13.2
cargo fuzz --version 2>/dev/null | grep --quiet "$version" || cargo install cargo-fuzz --locked --version "$version" --quiet
# Coverage is an option of the compiler that only nightly ones admit to. The code is safe Rust, which an address sanitizer has nothing
# to add to.
RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir tests/fuzz --sanitizer none --release
programs=tests/fuzz/target/$(rustc --version --verbose | sed -n 's/^host: //p')/release

fuzz() {
    local corpus=tests/fuzz/corpus/$1 artifacts=tests/fuzz/artifacts/$1 log=tests/fuzz/$1.log
    mkdir -p "$corpus" "$artifacts"
    # An input is small, takes milliseconds, and no memory to speak of. The time-out is one of the clock on the wall, which a busy
    # machine stretches.
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
