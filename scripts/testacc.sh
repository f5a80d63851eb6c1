#!/usr/bin/env bash
# Runs the acceptance and end-to-end tests on Terraform and on OpenTofu, each where
# it can be had.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
for name in terraform tofu; do
    if ! cli=$(scripts/cli.sh $name); then
        say "Not testing on $name."
        continue
    fi
    say "Testing on $name."
    CLOCKER_CLI=$cli scripts/rig.sh go test -race -count=1 -timeout 20m ./internal/provider/... ./internal/e2e/...
done
