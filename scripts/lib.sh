# shellcheck shell=bash
# What the scripts here share; sourced by them.

# shellcheck disable=SC2034 # The scripts use it.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What takes long to fetch or build, and is of use to every checkout.
# shellcheck disable=SC2034
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/terraform-provider-clocker

# say tells people what is done and why. Never on stdout: programs read that.
say() { printf '==> %s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# install_packages installs packages by the name that Debian has for them.
install_packages() {
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || die "installing $* needs root, and there is no sudo"
        sudo=(sudo)
    fi
    "${sudo[@]}" apt-get update -qq >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 </dev/null
}
