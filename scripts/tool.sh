#!/usr/bin/env bash
# Runs a tool that tools/go.mod pins. It is built into bin/ first where it is not there,
# and this says how long that takes: `go tool` builds it without a word.
#
#   tool.sh name [argument...]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "usage: $0 name [argument...]"
name=$1 modfile=$root/tools/go.mod binary=$root/bin/$1
shift
if [ ! "$binary" -nt "$modfile" ]; then
    package=$(go list -C "$root" -modfile="$modfile" tool | grep "/$name\$") || die "tools/go.mod has no tool $name"
    case $name in
    golangci-lint) takes="about three minutes on two cores" ;;
    tfplugindocs) takes="about a minute on two cores" ;;
    *) takes="less than a minute" ;;
    esac
    say "Building $name from source: $takes, once."
    go build -C "$root" -modfile="$modfile" -o "$binary" "$package"
fi
exec "$binary" "$@"
