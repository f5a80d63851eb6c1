#!/usr/bin/env bash
# Finds a command line to test with, and prints its path.
#
#   cli.sh                     terraform on PATH, else tofu on PATH, else OpenTofu built into bin/
#   cli.sh terraform           terraform on PATH, or fail
#   cli.sh tofu                tofu on PATH, else OpenTofu built into bin/
#   cli.sh terraform 1.16.4    that version, built from source
#   cli.sh tofu 1.11.6         that version, built from source
#
# A named version is built once and kept in XDG_CACHE_HOME (~/.cache).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

usage() { die "usage: $0 [terraform | tofu] [version]"; }

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

# use_version builds a version of terraform or tofu from the source that the Go module
# proxy has.
use_version() {
    local name=$1 version=$2 module package binary work
    case $name in
    terraform) module=github.com/hashicorp/terraform package=. ;;
    tofu) module=github.com/opentofu/opentofu package=./cmd/tofu ;;
    esac
    [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9]+)?$ ]] || die "$version is not a whole version, such as 1.16.4"
    binary=$cache/cli/$name-$version/$name
    if [ ! -x "$binary" ]; then
        say "CLI: building $name $version from source. This takes some minutes, once."
        work=$(mktemp -d)
        # shellcheck disable=SC2064 # The directory of now.
        trap "rm -rf '$work'" EXIT
        (cd "$work" && go mod download "$module@v$version" >&2)
        cp -R "$(go env GOMODCACHE)/$module@v$version" "$work/source"
        chmod -R u+w "$work/source"
        drop_backends "$work/source" "$module"
        # Without this setting the version of some would end in -dev.
        CGO_ENABLED=0 go build -C "$work/source" -mod=mod -trimpath -ldflags "-s -w -X $module/version.dev=no" -o "$work/$name" "$package" >&2
        check_version "$work/$name" "$version"
        mkdir -p "$(dirname "$binary")"
        mv "$work/$name" "$binary"
    fi
    say "CLI: $binary, because $name $version was asked for."
    printf '%s\n' "$binary"
}

# drop_backends takes the backends that keep state in a cloud out of the source. In
# newer versions they are modules that are found below the main module only, so that
# the proxy does not have them; and without them a build takes half the time. The
# backends local, remote, http, inmem and cloud stay.
drop_backends() {
    local dir=$1 module=$2 init=$1/internal/backend/init/init.go name path
    while read -r name path; do
        case $path in
        */http\" | */inmem\") continue ;;
        esac
        sed -E "/^[[:space:]]*$name /d; /[^[:alnum:]_]$name\./d" "$init" >"$init.new"
        mv "$init.new" "$init"
    done < <(grep '/remote-state/' "$init")
    while read -r path; do
        go -C "$dir" mod edit -dropreplace "$path" -droprequire "$path"
    done < <(sed -nE "s,^(replace)?[[:space:]]*($module/[^ ]+) => \./.*,\2,p" "$dir/go.mod")
}

# check_version fails if a program does not say that it is of a version.
check_version() {
    local says
    says=$(CHECKPOINT_DISABLE=1 TF_CLI_CONFIG_FILE=$root/scripts/cli.tfrc "$1" version -json)
    grep -q "\"terraform_version\": \"$2\"" <<<"$says" || die "what was built as $2 says that it is $says"
}

case $# in
0) use_terraform || use_tofu "there is no terraform, and " ;;
1)
    case $1 in
    terraform) use_terraform || die "no terraform on PATH" ;;
    tofu) use_tofu "" ;;
    *) usage ;;
    esac
    ;;
2)
    case $1 in
    terraform | tofu) use_version "$1" "$2" ;;
    *) usage ;;
    esac
    ;;
*) usage ;;
esac
