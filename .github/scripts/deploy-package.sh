#!/usr/bin/env bash
# Deploys a package to a Function App. Its settings stay unchanged.
#
# In:  FUNCTION_APP_NAME, RESOURCE_GROUP
#      PACKAGE    the zip that package.sh made
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=function-app.sh
source "$(dirname "${BASH_SOURCE[0]}")/function-app.sh"

[[ -f $PACKAGE ]] || fail "There is no package at $PACKAGE"
az functionapp deployment source config-zip --name="$FUNCTION_APP_NAME" --resource-group="$RESOURCE_GROUP" \
  --src="$PACKAGE" --only-show-errors --output none
