#!/usr/bin/env bash
# Finds a command line to test with, and prints its path.
#
#   cli.sh            terraform, else tofu on PATH, else OpenTofu built into bin/
#   cli.sh terraform  terraform, or fail
#   cli.sh tofu       tofu on PATH, else OpenTofu built into bin/
set -euo pipefail
. "$(dirname "$0")/lib.sh"

use_terraform() {
    command -v terraform || return 1
    say "CLI: $(command -v terraform), because it is on PATH."
}

use_tofu() {
    local why=$1 module=$root/tools/tofu binary=$root/bin/tofu
    if command -v tofu; then
        say "CLI: $(command -v tofu), because ${why}it is on PATH."
        return
    fi
    if [ ! "$binary" -nt "$module/go.mod" ]; then
        say "CLI: building OpenTofu, because ${why}there is no tofu on PATH. This takes some minutes, once."
        # Without this setting its version would end in -dev.
        go build -C "$module" -trimpath -ldflags '-s -w -X github.com/opentofu/opentofu/version.dev=no' \
            -o "$binary" github.com/opentofu/opentofu/cmd/tofu >&2
    fi
    say "CLI: $binary, because ${why}it was built from tools/tofu."
    printf '%s\n' "$binary"
}

case ${1:-any} in
any) use_terraform || use_tofu "there is no terraform, and " ;;
terraform) use_terraform || die "no terraform on PATH" ;;
tofu) use_tofu "" ;;
*) die "usage: $0 [terraform | tofu]" ;;
esac
