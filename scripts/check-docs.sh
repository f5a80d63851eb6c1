#!/usr/bin/env bash
# Fails if `make generate` changes anything. It then has: look at it and commit it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
cp -R docs examples "$before"

scripts/cli.sh tofu >/dev/null # Says so where it has to be built first.
scripts/generate.sh >"$before/log" 2>&1 || {
    cat "$before/log" >&2
    die "make generate failed"
}
for dir in docs examples; do
    diff -r "$before/$dir" $dir >&2 || die "make generate changes $dir/: commit what it has written"
done
