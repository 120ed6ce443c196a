#!/usr/bin/env bash
# Watches a Function App's host until it has run for 30 s with the function loaded and enabled; fails if it has not within
# the deadline. One check is not enough: a scaler that refuses its settings exits after each start, the host starts it again,
# and is "Running" meanwhile.
#
# In:  FUNCTION_APP_NAME, RESOURCE_GROUP
#      LOOKS (4), POLL_SECONDS (10)  how many checks in a row must succeed, and the time between them
#      DEADLINE_SECONDS (300)
#      OLD_PROCESS                   the host's process that must be gone, as host-answer.py names it
#      GITHUB_STEP_SUMMARY           receives the success, in a workflow
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=function-app.sh
source "$(dirname "${BASH_SOURCE[0]}")/function-app.sh"

# A new Flex Consumption instance takes a minute or two to start; five leave room for a slow region.
deadline=$(($(date +%s) + ${DEADLINE_SECONDS:-300}))

id=$(app_id)
[[ $id == /subscriptions/* ]] || fail "Azure knows no id of $FUNCTION_APP_NAME"

# Prints what is wrong, if anything.
look() {
  local host status function problem
  if ! host=$(ask_host "$id" host/status); then
    problem="the host does not answer"
  elif ! status=$(ask_host "$id" "functions/$function_name/status"); then
    # The host's own errors explain why the function is missing.
    problem=$(host_answer look "$(date +%s)" "${OLD_PROCESS:-}" "$first_seen" <<<"$host {} {}")
    problem=${problem:-the host has no function $function_name}
  elif ! function=$(ask_host "$id" "functions/$function_name"); then
    problem="the host has no function $function_name"
  else
    problem=$(host_answer look "$(date +%s)" "${OLD_PROCESS:-}" "$first_seen" <<<"$host $status $function")
  fi
  printf '%s' "${problem//$'\n'/ }"
}

well=0 first_seen=
while :; do
  now=$(date +%s)
  problem=$(look)
  if [[ -z $problem ]]; then
    ((well += 1))
    first_seen=${first_seen:-$now}
    ((well < ${LOOKS:-4})) || break
  else
    (($(date +%s) < deadline)) || fail "$function_name is not up on $FUNCTION_APP_NAME: $problem"
    echo "Waiting: $problem"
    well=0 first_seen=
  fi
  sleep "${POLL_SECONDS:-10}"
done

echo "$function_name is loaded and enabled on $FUNCTION_APP_NAME, and stays up."
echo "\`$function_name\` is loaded and enabled on \`$FUNCTION_APP_NAME\`, and stays up." >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
