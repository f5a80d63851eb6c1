#!/usr/bin/env bash
# Runs the tests that need a Terraform or OpenTofu: those of the provider, of the
# examples, and from end to end.
#
#   testacc.sh [cli...]
#
# Each cli is terraform, tofu, or one with a version, such as terraform-1.16.4: see
# cli.sh. By default terraform and tofu, each where it is found. All are tested on, also
# after one has failed. PACKAGES chooses other packages.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
read -ra packages <<<"${PACKAGES:-./internal/provider/... ./examples/... ./internal/e2e/...}"

failed=()

# test_on runs the tests on a command line, by its path.
test_on() {
    say "Testing on $1."
    CLOCKER_CLI=$1 scripts/rig.sh go run ./scripts/gotest -race -count=1 -timeout 30m "${packages[@]}" || failed+=("$1")
}

if [ $# -eq 0 ]; then
    for name in terraform tofu; do
        if cli=$(scripts/cli.sh "$name"); then
            test_on "$cli"
        else
            say "Not testing on $name."
        fi
    done
fi
for name; do
    words=("${name%%-*}")
    [[ $name != *-* ]] || words+=("${name#*-}")
    cli=$(scripts/cli.sh "${words[@]}")
    test_on "$cli"
done
[ ${#failed[@]} -eq 0 ] || die "tests failed on ${failed[*]}"
