#!/usr/bin/env bash
# Undoes a settings push: restores the old values and removes the settings that were new.
#
# In:  FUNCTION_APP_NAME, RESOURCE_GROUP
#      KEPT_FOLDER   what push-settings.sh kept; it is removed
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=function-app.sh
source "$(dirname "${BASH_SOURCE[0]}")/function-app.sh"

[[ -s $KEPT_FOLDER/names ]] || fail "There are no old values at $KEPT_FOLDER"
if [[ -e $KEPT_FOLDER/old.json ]]; then
  az functionapp config appsettings set "${app[@]}" --settings "@$KEPT_FOLDER/old.json" --only-show-errors --output none
fi
if [[ -e $KEPT_FOLDER/added ]]; then
  mapfile -t added <"$KEPT_FOLDER/added"
  az functionapp config appsettings delete "${app[@]}" --setting-names "${added[@]}" --only-show-errors --output none
fi
echo "The old values of these are back on $FUNCTION_APP_NAME:" "$(paste --serial --delimiters ' ' "$KEPT_FOLDER/names")"
rm -r "$KEPT_FOLDER"
