#!/usr/bin/env bash
# Finds etcd and etcdctl, which the benchmark measures beside Clocker, and prints their
# directory: those on PATH, or else those of Debian's packages. These are fetched once
# and kept in XDG_CACHE_HOME (~/.cache); nothing is installed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if have etcd && have etcdctl; then
    dirname "$(command -v etcdctl)"
    exit
fi
home=$cache/etcd
if [ ! -x "$home/usr/bin/etcdctl" ]; then
    have apt-get || die "there is no etcd on PATH, and no apt-get to fetch it with"
    say "etcd: fetching Debian's packages etcd-server and etcd-client, once."
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/packages"
    (cd "$work/packages" && apt-get -o APT::Sandbox::User= download -qq etcd-server etcd-client >&2) ||
        die "the packages are not found: run apt-get update first"
    for package in "$work"/packages/*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
    rm -rf "$home"
    mkdir -p "$cache"
    mv "$work/root" "$home"
fi
echo "$home/usr/bin"
