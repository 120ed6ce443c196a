#!/usr/bin/env bash
# Prints the errors that the scaler logged since a time, from the app's Application Insights, if the log can be read: the account
# needs the role Reader there. It never fails, because it explains another failure.
#
# In:  FUNCTION_APP_NAME, RESOURCE_GROUP
#      SINCE                                 such as 2026-01-31T13:00:00Z
#      LOG_POLLS (12), LOG_POLL_SECONDS (15) how often to ask: lines arrive minutes late
set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=function-app.sh
source "$(dirname "${BASH_SOURCE[0]}")/function-app.sh"

# The scaler's standard error, which names wrong settings and shows no secret.
query="traces | where timestamp >= datetime($SINCE) and severityLevel >= 3"
query+=" | where tostring(customDimensions.Category) == 'Host.Function.Console' | distinct message | take 20"

unreadable() {
  echo "::notice title=The scaler's log::$1; whoever may read Application Insights finds it with: $query"
  exit 0
}

connection=$(az functionapp config appsettings list "${app[@]}" --only-show-errors --output tsv \
  --query "[?name=='APPLICATIONINSIGHTS_CONNECTION_STRING'].value") || unreadable "The app's settings cannot be read"
[[ $connection =~ ApplicationId=([0-9A-Fa-f-]{36}) ]] || unreadable "The app names no Application Insights"
application=${BASH_REMATCH[1]}
insights=$(az cloud show --query endpoints.appInsightsResourceId --output tsv --only-show-errors) &&
  [[ $insights == https://* ]] || unreadable "The cloud has no Application Insights"
body=$(mktemp)
trap 'rm -f "$body"' EXIT
python3 -c 'import json, sys; json.dump({"query": sys.argv[1]}, sys.stdout)' "$query" >"$body"

for ((poll = 0; poll < ${LOG_POLLS:-12}; poll++)); do
  ((poll == 0)) || sleep "${LOG_POLL_SECONDS:-15}"
  answer=$(az rest --method post --url "$insights/v1/apps/$application/query" --resource "$insights" --body "@$body" \
    --only-show-errors --output json) || unreadable "The log cannot be read"
  lines=$(python3 "$scripts/log-lines.py" <<<"$answer") || unreadable "The log's answer is not JSON"
  if [[ -n $lines ]]; then
    echo "$lines"
    exit 0
  fi
done
unreadable "The log has no error of the scaler yet"
