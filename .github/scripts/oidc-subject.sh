#!/usr/bin/env bash
# Prints the subject of GitHub's tokens for jobs of an environment, which a federated credential must name. It has two forms,
# with the repository's numbers and without, and GitHub says which one a repository has.
#
#   oidc-subject.sh OWNER/NAME ENVIRONMENT
#
# It asks through gh, the GitHub CLI, whose account must be able to read the repository.
set -euo pipefail

[[ $# -eq 2 && $1 == */* ]] || { echo "usage: oidc-subject.sh OWNER/NAME ENVIRONMENT" >&2; exit 2; }
repository=$1 environment=$2

answer=$(gh api "repos/$repository/actions/oidc/customization/sub")
prefix=$(python3 -c '
import json, sys
answer = json.load(sys.stdin)
# A repository with custom claims has another form of subject.
if not answer.get("use_default", True):
    claims = ", ".join(answer.get("include_claim_keys") or [])
    sys.exit(f"The repository makes its subjects of claims of its own ({claims}): write the subject by hand")
print(answer.get("sub_claim_prefix") or "repo:" + sys.argv[1])
' "$repository" <<<"$answer")
# A colon would end it.
echo "$prefix:environment:${environment//:/%3A}"
