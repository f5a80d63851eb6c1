#!/usr/bin/env bash
# Fuzzes each target of the module in turn, for FUZZTIME (30s) each, and stops at the
# first that fails. What fails is then a file below the package's testdata/fuzz, which
# every test run tries from then on: keep it, with the repair.
#
#   fuzz.sh [regexp]   only the targets that match
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
found=
while read -r dir; do
    while read -r target; do
        found=1
        say "$target in $dir"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "$dir"
    done < <(go test -list "^Fuzz.*${1:-}" "$dir" | grep ^Fuzz)
done < <(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u)
[ -n "$found" ] || die "no fuzz target matches ${1:-Fuzz}"
