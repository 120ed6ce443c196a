# shellcheck shell=bash
# What the scripts that work on a Function App have in common: its two names are checked before az sees them, since az
# reads an argument such as @name as a file.

fail() {
  echo "::error title=Deployment failed::$1"
  exit 1
}

[[ ${FUNCTION_APP_NAME:-} =~ ^[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]$ ]] ||
  fail "The input function_app_name is missing or is not the name of a Function App"
[[ ${RESOURCE_GROUP:-} =~ ^[A-Za-z0-9_.()-]{0,89}[A-Za-z0-9_()-]$ ]] ||
  fail "The input resource_group is missing or is not the name of a resource group"
