# Short names for the commands of .ci/run and .github/CONTRIBUTING.md. `just` alone lists them.

[private]
default:
    @{{ just_executable() }} --list --unsorted

# The whole job, once, on a local Azure
demo:
    cargo local

# A local Azure that stays up, with the scaler under a Functions host and a page at http://127.0.0.1:7072/
serve:
    cargo local serve --host

# The unit tests: all rules
unit:
    cargo test --lib

# The settings, the documents and the order of the modules
quick:
    cargo test --test settings --test documents --test architecture

# All tests
test:
    cargo test --workspace

# The format and the lints
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings

# Replay one schedule of the simulator
seed number:
    SIMULATOR_SEED={{ number }} cargo test --test simulator

# Run fresh schedules of the simulator
simulate schedules="1000":
    SIMULATOR_SCHEDULES={{ schedules }} cargo test --release --test simulator

# Update the snapshots, the README's tables and docs/assumptions.md
update:
    INSTA_UPDATE=always cargo test --workspace
    UPDATE_README=1 cargo test --test settings
    UPDATE_ASSUMPTIONS=1 cargo test --test live

# Fuzz each target for so many seconds
fuzz seconds="30":
    .github/scripts/fuzz.sh {{ seconds }}

# Everything that CI checks
ci:
    bash .ci/run
