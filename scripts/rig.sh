#!/usr/bin/env bash
# Runs a command with all that the tests need: a ZooKeeper, a Terraform or OpenTofu,
# and an environment that says where they are.
#
#   rig.sh command [argument...]
#
# CLOCKER_CLI chooses the CLI (a path); else see cli.sh. For ZooKeeper see zookeeper.sh,
# for Kerberos kerberos.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "usage: $0 command [argument...]"

exports=$("$root/scripts/zookeeper.sh" ensure)
eval "$exports"
"$root/scripts/kerberos.sh"

# The race detector needs a C compiler, without which Go turns cgo off by itself.
if [[ " $* " == *" -race "* && -z "${CGO_ENABLED:-}" && $(go env CGO_ENABLED) = 0 ]]; then
    have apt-get || die "-race needs a C compiler: install gcc or clang"
    say "Installing gcc, which the race detector needs."
    install_packages gcc libc6-dev
fi

if [ -z "${CLOCKER_CLI:-}" ]; then
    CLOCKER_CLI=$("$root/scripts/cli.sh")
fi
export CLOCKER_CLI

# For acceptance tests: run them, with that CLI, under the addresses it knows.
export TF_ACC=1 TF_ACC_TERRAFORM_PATH=$CLOCKER_CLI
case $(basename "$CLOCKER_CLI") in
tofu*) export TF_ACC_PROVIDER_NAMESPACE=hashicorp TF_ACC_PROVIDER_HOST=registry.opentofu.org ;;
esac

# Nobody's own settings, nor a file that does not exist; and no look for new versions.
export TF_CLI_CONFIG_FILE=$root/scripts/cli.tfrc CHECKPOINT_DISABLE=1
unset TF_CLI_ARGS TF_LOG TF_DATA_DIR TF_WORKSPACE

exec "$@"
