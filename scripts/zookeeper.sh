#!/usr/bin/env bash
# Finds a ZooKeeper for tests, or runs one for development.
#
#   zookeeper.sh ensure   find or install one; prints `export` lines for a shell to evaluate
#   zookeeper.sh up       run a server on 127.0.0.1:2181 in the background
#   zookeeper.sh down     stop it
#
# Tests use, in this order: the server that CLOCKER_TEST_ZOOKEEPER names; a Docker
# engine that answers; an installed distribution (ZOOKEEPER_HOME, Debian's package,
# Homebrew's), of which they run servers of their own; else the package is installed.
# ZOOKEEPER_VERSION chooses a version: of the Docker image, or else one to fetch (see
# fetch-zookeeper.sh) in place of the installed one.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

port=2181
addr=127.0.0.1:$port
pid_file=$root/bin/zkserver.pid
log_file=$root/bin/zkserver.log

docker_answers() { have docker && docker info >/dev/null 2>&1; }

compose() { docker compose --project-directory "$root" "$@" >&2; }

# build_server builds what knows where distributions are, by the code of the tests,
# and runs them. Not `go run`: code that does not compile is no reason to install.
build_server() { go build -C "$root" -o bin/ ./scripts/zkserver; }

# installed prints where the distribution is that the tests will run.
installed() { "$root/bin/zkserver"; }

# from_image copies the distribution out of the official image: tests that pause
# and kill servers run it on this machine, given Java.
from_image() {
    local version home container
    version=${ZOOKEEPER_VERSION:-$(sed -n 's/.*ZOOKEEPER_VERSION:-\([0-9.]*\)}.*/\1/p' "$root/docker-compose.yml")}
    home=$root/bin/zookeeper-$version
    if [ ! -d "$home/lib" ]; then
        container=$(docker create "zookeeper:$version")
        mkdir -p "$home/conf"
        docker cp "$container:/apache-zookeeper-$version-bin/lib" "$home/lib" >&2
        docker cp "$container:/conf/." "$home/conf" >&2
        docker rm "$container" >/dev/null
    fi
    printf 'export ZOOKEEPER_HOME=%q\n' "$home"
}

ensure_docker() {
    compose up --detach --wait zookeeper
    printf 'export CLOCKER_TEST_ZOOKEEPER=%q\n' "$addr"
    if [ -z "${ZOOKEEPER_VERSION:-}" ] && installed >/dev/null 2>&1; then
        return
    elif have java || [ -n "${JAVA_HOME:-}" ]; then
        from_image
    else
        say "Tests that pause and kill servers will be skipped: they need Java or an installed ZooKeeper."
    fi
}

ensure_package() {
    if have apt-get; then
        local packages=(zookeeper)
        have java || [ -n "${JAVA_HOME:-}" ] || packages+=(default-jre-headless)
        install_packages "${packages[@]}"
        # Another client, which our locks are tested against; they do without.
        install_packages python3-kazoo || say "No python3-kazoo: the tests against Kazoo will be skipped."
    elif have brew; then
        brew install zookeeper >&2
        have java || [ -n "${JAVA_HOME:-}" ] || printf 'export JAVA_HOME=%q\n' "$(brew --prefix openjdk)"
    else
        die "no ZooKeeper, no Docker engine, no apt-get and no brew: set CLOCKER_TEST_ZOOKEEPER=host:port, or unpack ZooKeeper's tarball and set ZOOKEEPER_HOME"
    fi
}

ensure() {
    local origin exports
    build_server
    if [ -n "${CLOCKER_TEST_ZOOKEEPER:-}" ]; then
        say "ZooKeeper: $CLOCKER_TEST_ZOOKEEPER, because CLOCKER_TEST_ZOOKEEPER names it."
    elif docker_answers; then
        say "ZooKeeper: the official image on $addr, because a Docker engine answers. 'make zk-down' stops it."
        ensure_docker
    elif [ -n "${ZOOKEEPER_VERSION:-}" ]; then
        ZOOKEEPER_HOME=$("$root/scripts/fetch-zookeeper.sh" "$ZOOKEEPER_VERSION")
        export ZOOKEEPER_HOME
        installed >/dev/null # Else it says what is missing.
        say "ZooKeeper: $ZOOKEEPER_VERSION in $ZOOKEEPER_HOME, because ZOOKEEPER_VERSION names it and no Docker engine answers."
        printf 'export ZOOKEEPER_HOME=%q\n' "$ZOOKEEPER_HOME"
    elif origin=$(installed 2>/dev/null); then
        say "ZooKeeper: $origin, because it is installed and no Docker engine answers."
    else
        say "ZooKeeper: installing the system's package, because none is installed that runs, and no Docker engine answers."
        exports=$(ensure_package)
        eval "$exports"
        origin=$(installed) || die "ZooKeeper is still not found"
        printf '%s\n' "$exports"
    fi
}

up() {
    if docker_answers; then
        compose up --detach --wait zookeeper
    elif running; then
        say "It runs already."
    else
        local exports
        exports=$(ensure)
        eval "$exports"
        nohup "$root/bin/zkserver" -port $port >"$log_file" 2>&1 </dev/null &
        echo $! >"$pid_file"
        # Its first line is the address on which it serves, or why it does not.
        for _ in $(seq 600); do
            [ ! -s "$log_file" ] || break
            sleep 0.1
        done
        running || die "$(cat "$log_file")"
    fi
    say "ZooKeeper serves on $addr."
}

# running says whether the process of the last `up` is there, and still ours.
running() {
    [ -f "$pid_file" ] && ps -p "$(cat "$pid_file")" -o comm= 2>/dev/null | grep -q zkserver
}

forgotten() {
    say "Its data are deleted, durable locks included: a state that has one will take it again. Fencing tokens start from the beginning."
}

down() {
    if docker_answers; then
        compose --profile ensemble --profile secure down --volumes
        forgotten
    fi
    if running; then
        kill "$(cat "$pid_file")"
        while running; do sleep 0.1; done
        forgotten
    fi
    rm -f "$pid_file"
}

case ${1:-} in
ensure | up | down) "$1" ;;
*) die "usage: $0 ensure | up | down" ;;
esac
