#!/usr/bin/env bash
# Changes the given settings of a Function App, leaves all others, and restarts it if asked to.
#
# In:  FUNCTION_APP_NAME, RESOURCE_GROUP, RESTART_APP (true or false)
#      SETTINGS_FILE, NAMES_FILE     what read-settings.py wrote; both are removed
#      GITHUB_STEP_SUMMARY           receives the names of the changed settings, never a value
set -euo pipefail
trap 'rm -f "$SETTINGS_FILE" "$NAMES_FILE"' EXIT

summary() { printf '%s\n' "$@" >>"$GITHUB_STEP_SUMMARY"; }

names=$(<"$NAMES_FILE")
# The values travel in a file: a command line can be read by every process of the machine. The answer holds no value
# that anyone needs, so none is printed.
az functionapp config appsettings set --name="$FUNCTION_APP_NAME" --resource-group="$RESOURCE_GROUP" \
  --settings "@$SETTINGS_FILE" --only-show-errors --output none
summary "### Settings of \`$FUNCTION_APP_NAME\`" "" "Changed:" ""
while IFS= read -r name; do summary "- \`$name\`"; done <<<"$names"

if [[ $RESTART_APP == true ]]; then
  if ! az functionapp restart --name="$FUNCTION_APP_NAME" --resource-group="$RESOURCE_GROUP" --only-show-errors; then
    summary "" "The settings are in place, but the restart failed."
    echo "::error title=Restart failed::The settings of $FUNCTION_APP_NAME are changed; restart it by hand"
    exit 1
  fi
  summary "" "Restarted."
fi
