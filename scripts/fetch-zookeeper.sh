#!/usr/bin/env bash
# Fetches a version of ZooKeeper that another release of Debian has, and prints the
# directory to set ZOOKEEPER_HOME to. It is fetched once and kept in XDG_CACHE_HOME
# (~/.cache); nothing is installed, and the system's package lists stay as they are.
#
#   fetch-zookeeper.sh 3.4.13 | 3.8.0 | 3.9.3 | 3.9.6
#
# Needs Debian, and a Java to run it with. Where there is a Docker engine, zookeeper.sh
# takes the official image of any version instead.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# suite_of prints which release of Debian has a version.
suite_of() {
    case $1 in
    3.4.13) echo bullseye ;;
    3.8.0) echo bookworm ;;
    3.9.3) echo trixie ;;
    3.9.6) echo sid ;;
    *) die "no Debian release is known to have ZooKeeper $1: try 3.4.13, 3.8.0, 3.9.3 or 3.9.6, or a Docker engine" ;;
    esac
}

# mirror prints the address from which this system gets its own packages.
mirror() {
    local codename address
    codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME:-}") || die "this system is not Debian"
    # shellcheck disable=SC2016 # For apt-get to expand.
    address=$(apt-get indextargets --format '$(REPO_URI)' \
        'Identifier: Packages' 'Origin: Debian' "Release: $codename" 'Component: main' | sed -n 1p)
    [ -n "$address" ] || die "no package list of Debian's is here: run apt-get update first"
    echo "$address"
}

# fetch unpacks ZooKeeper and the packages that it depends on into $work/root.
fetch() {
    local version=$1 suite=$2 address keys=/usr/share/keyrings/debian-archive-keyring.gpg candidate packages apt
    address=$(mirror)
    mkdir -p "$work"/{lists,archives}/partial "$work"/{packages,root}
    echo "deb $([ ! -f $keys ] || echo "[signed-by=$keys]") $address $suite main" >"$work/sources.list"
    : >"$work/status"
    apt=(
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status" -o Dir::Cache="$work"
        -o APT::Sandbox::User= # The directory is ours only.
    )
    apt-get "${apt[@]}" update -qq >&2
    candidate=$(apt-cache "${apt[@]}" policy libzookeeper-java | sed -n 's/^ *Candidate: //p')
    [[ $candidate == "$version"-* ]] || die "Debian's $suite has ZooKeeper ${candidate:-no more}, not $version"
    packages=$(apt-cache "${apt[@]}" depends --important libzookeeper-java | sed -n 's/^ *Depends: \(lib.*-java\)$/\1/p')
    # shellcheck disable=SC2086 # Several words.
    (cd "$work/packages" && apt-get "${apt[@]}" download -qq libzookeeper-java $packages >&2)
    for package in "$work"/packages/*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
}

[ $# -eq 1 ] || die "usage: $0 version"
suite=$(suite_of "$1")
home=$cache/zookeeper/$1
if [ ! -d "$home/lib" ]; then
    have apt-get || die "there is no apt-get"
    say "ZooKeeper: fetching $1 from the packages of Debian's $suite, once."
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    fetch "$1" "$suite"
    go run -C "$root" ./scripts/zkhome "$work/root/usr/share/java" "$1" "$work/home"
    rm -rf "$home"
    mkdir -p "$(dirname "$home")"
    mv "$work/home" "$home"
fi
echo "$home"
