#!/usr/bin/env bash
# Changes the given settings of a Function App, leaves all others, and checks that the scaler comes up with them and stays up.
# If it does not, the run fails with the scaler's own message and restores the old values.
#
# Azure restarts an app when its settings change, so the script does not.
#
# In:  FUNCTION_APP_NAME, RESOURCE_GROUP
#      RESTART_APP          true: restart it even if it already has all the settings
#      ROLLBACK_ON_FAILURE  true: restore the old values; false: only say how
#      SETTINGS_FILE        what read-settings.py wrote; it is removed
#      KEPT_FOLDER          keeps the old values while they may be needed
#      GITHUB_STEP_SUMMARY  receives the names of the changed settings, never a value
set -euo pipefail
trap 'rm -f "$SETTINGS_FILE" "$KEPT_FOLDER/all.json"' EXIT
# shellcheck source-path=SCRIPTDIR source=function-app.sh
source "$(dirname "${BASH_SOURCE[0]}")/function-app.sh"

summary() { printf '%s\n' "$@" >>"$GITHUB_STEP_SUMMARY"; }

# Only this run's user can read the folder with the values.
umask 077
mkdir -p "$KEPT_FOLDER"
az functionapp config appsettings list "${app[@]}" --only-show-errors --output json >"$KEPT_FOLDER/all.json"
python3 "$scripts/keep-settings.py"

restore=$(printf 'FUNCTION_APP_NAME=%q RESOURCE_GROUP=%q KEPT_FOLDER=%q %q' \
  "$FUNCTION_APP_NAME" "$RESOURCE_GROUP" "$KEPT_FOLDER" "$scripts/restore-settings.sh")
changed=false
[[ ! -s $KEPT_FOLDER/names ]] || changed=true
summary "### Settings of \`$FUNCTION_APP_NAME\`" ""
since=$(date --utc +%Y-%m-%dT%H:%M:%SZ)

if [[ $changed == true || $RESTART_APP == true ]]; then
  # The process from before the change must not be mistaken for the one after it.
  if id=$(app_id) && before=$(ask_host "$id" host/status 2>/dev/null); then
    OLD_PROCESS=$(python3 "$scripts/host-answer.py" process "$(date +%s)" <<<"$before" 2>/dev/null) || OLD_PROCESS=
    export OLD_PROCESS
  fi
fi
if [[ $changed == true ]]; then
  # The values are in a file, because every process on the machine can read a command line. The answer is not printed, because
  # it holds values that nobody needs.
  az functionapp config appsettings set "${app[@]}" --settings "@$SETTINGS_FILE" --only-show-errors --output none ||
    fail "The settings of $FUNCTION_APP_NAME were not changed, as far as az knows. To put the old values back: $restore"
  summary "Changed, whereupon Azure restarts the app:" ""
  while IFS= read -r name; do summary "- \`$name\`"; done <"$KEPT_FOLDER/names"
else
  summary "The app has these settings already."
  if [[ $RESTART_APP == true ]]; then
    az functionapp restart "${app[@]}" --only-show-errors || fail "Restart $FUNCTION_APP_NAME by hand: its restart failed"
    summary "" "Restarted."
  fi
fi
summary ""

if [[ -e $KEPT_FOLDER/stopped ]]; then
  rm -r "$KEPT_FOLDER"
  summary "\`$function_name\` is disabled, so nobody knows whether the scaler accepts these settings."
  fail "$function_name was disabled before: the settings are in place, but whether the scaler accepts them shows when it is enabled"
fi
if "$scripts/check-host.sh"; then
  rm -r "$KEPT_FOLDER"
  exit
fi

summary "The scaler did not come up, or did not stay up."
status=1
if [[ $changed == false ]]; then
  rm -r "$KEPT_FOLDER"
elif [[ ${ROLLBACK_ON_FAILURE:-} == true ]] && "$scripts/restore-settings.sh"; then
  summary "" "The old values are back."
else
  summary "" "The old values are still to be put back: the log says how."
  echo "::error title=Put the old values back::On this machine, logged in with az: $restore"
  status=2
fi
SINCE=$since "$scripts/scaler-log.sh"
if ((status == 1)) && [[ $changed == true ]]; then
  # They worked before, and whoever is on call wants to know whether they still do.
  unset OLD_PROCESS
  "$scripts/check-host.sh" || summary "" "**The scaler is not up with the old values either.**"
fi
exit 1
