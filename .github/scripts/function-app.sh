# shellcheck shell=bash
# What the scripts that work on a Function App have in common: its two names are checked before az sees them, since az
# reads an argument such as @name as a file; and its host is asked over Resource Manager.

fail() {
  echo "::error title=Deployment failed::$1"
  exit 1
}

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
wrong=$(python3 "$scripts/azure_names.py" 2>&1) || fail "$wrong"

# shellcheck disable=SC2034  # for those that source this
function_name=ScaleTimer
# What az needs to find the app.
app=(--name="$FUNCTION_APP_NAME" --resource-group="$RESOURCE_GROUP")

app_id() { az functionapp show "${app[@]}" --query id --output tsv --only-show-errors; }

# ask_host ID PATH: Resource Manager passes requests under this path on to the host, so no key of the host is needed.
ask_host() {
  az rest --method get --url "$1/hostruntime/admin/$2?api-version=2024-04-01" --only-show-errors --output json
}

# Reads an answer of the host on standard input: see host-answer.py.
host_answer() { python3 "$scripts/host-answer.py" "$@" 2>/dev/null || echo "the answer is not JSON"; }
