#!/usr/bin/env bash
# Fails if `make generate` changes anything. It then has: look at it and commit it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
cp -R docs examples "$before"

# These say so where they have to be built first.
scripts/cli.sh tofu >/dev/null
scripts/tool.sh tfplugindocs --version >/dev/null
scripts/generate.sh >"$before/log" 2>&1 || {
    cat "$before/log" >&2
    die "make generate failed"
}
for dir in docs examples; do
    diff -r "$before/$dir" $dir >&2 || die "make generate changes $dir/: commit what it has written"
done
