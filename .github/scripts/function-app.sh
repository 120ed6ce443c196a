# shellcheck shell=bash
# Shared by the scripts for Function Apps: it checks the two names before az sees them, because az reads an argument such as
# @name as a file; and it queries the app's host through Resource Manager.

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

# ask_host ID PATH: Resource Manager forwards requests under this path to the host, so no host key is needed.
ask_host() {
  az rest --method get --url "$1/hostruntime/admin/$2?api-version=2024-04-01" --only-show-errors --output json
}

# Reads an answer of the host on standard input: see host-answer.py.
host_answer() { python3 "$scripts/host-answer.py" "$@" 2>/dev/null || echo "the answer is not JSON"; }
