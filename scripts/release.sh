#!/usr/bin/env bash
# Builds a release with the tools that tools/release pins. They are built first, which
# takes some minutes, once.
#
#   release.sh check                   check .goreleaser.yml, and build all platforms into dist/, unsigned
#   release.sh publish [argument...]   build, sign and publish the release of the tag that is checked out;
#                                      needs GPG_FINGERPRINT and GITHUB_TOKEN
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
go build -C tools/release -o "$root/bin/" tool
export PATH=$root/bin:$PATH

case ${1:-} in
check)
    goreleaser check
    goreleaser release --snapshot --clean --skip=sign
    ;;
publish) goreleaser release --clean "${@:2}" ;;
*) die "usage: $0 check | publish [argument...]" ;;
esac
