#!/usr/bin/env bash
# Asks a Function App's host whether it runs and has loaded the function; fails if it has not within the deadline.
#
# In:  FUNCTION_APP_NAME, RESOURCE_GROUP
#      DEADLINE_SECONDS (300), POLL_SECONDS (10)
#      GITHUB_STEP_SUMMARY           says that it is loaded, in a workflow
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=function-app.sh
source "$(dirname "${BASH_SOURCE[0]}")/function-app.sh"

function_name=ScaleTimer
# Resource Manager passes requests under this path on to the host, so no key of the host is needed.
api="api-version=2024-04-01"
# A new Flex Consumption instance takes a minute or two to start; five leave room for a slow region.
deadline=$((SECONDS + ${DEADLINE_SECONDS:-300}))

id=$(az functionapp show --name="$FUNCTION_APP_NAME" --resource-group="$RESOURCE_GROUP" --query id --output tsv \
  --only-show-errors)
[[ $id == /subscriptions/* ]] || fail "Azure knows no id of $FUNCTION_APP_NAME"

# Prints why the answer on standard input is not good, if it is not. The host's own answer has a state; a function's
# has only errors.
complaint() {
  python3 -c '
import json, sys
answer = json.load(sys.stdin)
errors = [str(error) for error in answer.get("errors") or []]
if errors:
    print("; ".join(errors))
elif sys.argv[1] == "host" and answer.get("state") != "Running":
    print("the host is", answer.get("state", "in no known state"))
' "$1" 2>/dev/null || echo "the answer is not JSON"
}

ask() { az rest --method get --url "$id/hostruntime/admin/$1?$api" --only-show-errors --output json; }

while :; do
  if ! host=$(ask host/status); then
    problem="the host does not answer"
  elif problem=$(complaint host <<<"$host") && [[ -n $problem ]]; then
    :
  elif ! function=$(ask "functions/$function_name/status"); then
    problem="the host has no function $function_name"
  else
    problem=$(complaint function <<<"$function")
  fi
  [[ -n $problem ]] || break
  ((SECONDS < deadline)) || fail "$function_name is not loaded on $FUNCTION_APP_NAME: ${problem//$'\n'/ }"
  echo "Waiting: ${problem//$'\n'/ }"
  sleep "${POLL_SECONDS:-10}"
done

echo "$function_name is loaded on $FUNCTION_APP_NAME."
echo "\`$function_name\` is loaded on \`$FUNCTION_APP_NAME\`." >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
