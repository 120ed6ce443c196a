#!/usr/bin/env bash
# Decides how to log in to Azure: with GitHub's own token (OIDC) if the three ids are set, else with a stored secret.
#
# In:  AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_SUBSCRIPTION_ID   variables of the repository or the environment
#      HAS_SECRET                                                whether TDEI_CORE_AZURE_CREDS is set: true or false
# Out: method=oidc or method=secret in GITHUB_OUTPUT; 1 if neither is possible.
set -euo pipefail

missing=()
for name in AZURE_CLIENT_ID AZURE_TENANT_ID AZURE_SUBSCRIPTION_ID; do
  [[ -n ${!name:-} ]] || missing+=("$name")
done

if ((${#missing[@]} == 0)); then
  echo "method=oidc" >>"$GITHUB_OUTPUT"
elif [[ ${HAS_SECRET:-} == true ]]; then
  if ((${#missing[@]} < 3)); then
    echo "::warning title=Azure login::OIDC needs ${missing[*]} as well; the secret TDEI_CORE_AZURE_CREDS is used"
  fi
  echo "method=secret" >>"$GITHUB_OUTPUT"
else
  echo "::error title=Azure login::Set ${missing[*]} as variables (OIDC), or the secret TDEI_CORE_AZURE_CREDS"
  exit 1
fi
