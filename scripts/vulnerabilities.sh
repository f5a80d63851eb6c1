#!/usr/bin/env bash
# Looks for known vulnerabilities in what the provider links, with govulncheck.
#
#   vulnerabilities.sh                  fail if there are any, or if nobody can tell
#   vulnerabilities.sh --if-reachable   the same, but skip where the database of
#                                       vulnerabilities cannot be reached
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-} in
"" | --if-reachable) ;;
*) die "usage: $0 [--if-reachable]" ;;
esac
cd "$root"
scripts/tool.sh govulncheck -version >/dev/null # Says so where it has to be built first.
code=0
output=$(scripts/tool.sh govulncheck ./... 2>&1) || code=$?
if [ "$code" -ne 0 ] && [ "${1:-}" = --if-reachable ] && [[ $output == *"fetching vulnerabilities: "* ]]; then
    say "Skipped: ${output##*fetching vulnerabilities: }"
    exit
fi
printf '%s\n' "$output" >&2
exit "$code"
