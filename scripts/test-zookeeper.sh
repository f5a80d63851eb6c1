#!/usr/bin/env bash
# Runs the tests on a version of ZooKeeper, which is fetched where it is not here.
#
#   test-zookeeper.sh version [argument of go test...]
#
# By default all tests; on 3.4, where not all pass, those of the basic flow: apply,
# import and destroy the examples. See zookeeper.sh and fetch-zookeeper.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "usage: $0 version [argument...]"
export ZOOKEEPER_VERSION=$1
shift
[ -z "${CLOCKER_TEST_ZOOKEEPER:-}" ] || die "CLOCKER_TEST_ZOOKEEPER names a server already: unset it"
if [ $# -eq 0 ]; then
    case $ZOOKEEPER_VERSION in
    3.4.*) set -- -run '^(TestServerVersion|TestApply|TestReadme|TestImport)$' ./internal/zktest ./examples ;;
    *) set -- ./... ;;
    esac
fi
cd "$root"
exec scripts/rig.sh go run ./scripts/gotest -race -count=1 -timeout 40m "$@"
