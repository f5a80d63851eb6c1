#!/usr/bin/env bash
# Runs the tests of the lower packages on other processors and on Windows, as far as this machine can,
# and says what it skips and why.
#
#   platforms.sh [processor...]   by default 386, and s390x, which orders bytes the other way
#   platforms.sh windows          on amd64 under Wine
#
# A 386 runs natively on amd64. The others, arm and arm64 too, are emulated by Debian's
# package qemu-user-static, which is fetched into XDG_CACHE_HOME (~/.cache). Linux runs
# foreign programs by it in a namespace of the tests' own (Linux 6.7), so that nothing
# is installed and no other program is concerned. PACKAGES chooses other packages.
#
# Wine must be installed. Wine 8 lacks a DLL that Go needs, which is then compiled by
# mingw-w64, and cannot delete a file as Go does: tests that leave files are left out.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- 386 s390x
read -ra packages <<<"${PACKAGES:-./internal/run ./internal/zookeeper ./internal/locker}"
# These look at processes from outside, where they see qemu, or at what qemu invents of
# them in /proc.
artefacts='SubReaper|TerraformAsPid1|RunNames|StartIsTheKernelsOwn'
skipped=0 failed=()

skip() {
    say "Skipped $1: $2"
    skipped=$((skipped + 1))
}

# test_on runs the tests on a processor, with the command in front, if any.
test_on() {
    local arch=$1
    shift
    say "Testing on $arch."
    scripts/rig.sh "$@" env GOARCH="$arch" CGO_ENABLED=0 bin/gotest -count=1 -timeout 40m -short "${flags[@]}" "${packages[@]}" ||
        failed+=("$arch")
}

# test_under_wine runs the tests for Windows. The server runs on this system: Wine has
# no Java.
test_under_wine() {
    local missing=bcryptprimitives.dll system32
    work=$(mktemp -d)
    trap 'WINEPREFIX=$work/prefix wineserver -k || true; rm -rf "$work"' EXIT
    export WINEPREFIX=$work/prefix WINEDEBUG=-all
    say "Making a Windows under Wine."
    wine wineboot -i >/dev/null 2>&1
    system32=$WINEPREFIX/drive_c/windows/system32
    if [ ! -e "$system32/$missing" ]; then
        if ! have x86_64-w64-mingw32-gcc; then
            skip windows "this Wine has no $missing, and there is no mingw-w64 to make one"
            return
        fi
        cat >"$work/prng.c" <<'EOF'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
EOF
        x86_64-w64-mingw32-gcc -shared -o "$system32/$missing" "$work/prng.c" -ladvapi32
    fi
    cat >"$work/exec" <<'EOF'
#!/bin/sh
program=$(winepath -w "$1")
shift
# shellcheck disable=SC2046 # Each a word: cmd takes ^| for | outside of quotes.
set -- "$program" $(echo "$@" | sed 's/|/^|/g')
unset TMPDIR
exec wine cmd /c "$@"
EOF
    chmod +x "$work/exec"
    if [ -z "${CLOCKER_TEST_ZOOKEEPER:-}" ]; then
        # Nobody's own server, which would be stopped with its data at the end.
        ! (: </dev/tcp/127.0.0.1/2181) 2>/dev/null || die "something serves on 127.0.0.1:2181: stop it, or name it in CLOCKER_TEST_ZOOKEEPER to have it used"
        scripts/zookeeper.sh up
        trap 'WINEPREFIX=$work/prefix wineserver -k || true; rm -rf "$work"; scripts/zookeeper.sh down' EXIT
        export CLOCKER_TEST_ZOOKEEPER=127.0.0.1:2181
    fi
    [ -n "${PACKAGES:-}" ] || packages=(./internal/run ./internal/zookeeper ./internal/holder)
    say "Testing on Windows under $(wine --version)."
    GOOS=windows bin/gotest -count=1 -timeout 40m -short -exec "$work/exec" \
        -skip 'TLS|Files|Certificate|ACLOfWhatIsCreated|DigestMD5|EachConnectionIsVerified|IPv6|MistakeOfOneServer' "${packages[@]}" ||
        failed+=(windows)
}

# fetch_qemu prints the directory of qemu, which it fetches where it is not here.
fetch_qemu() {
    local home=$cache/qemu work
    if [ ! -d "$home" ]; then
        have apt-get || return 1
        work=$(mktemp -d)
        say "Fetching qemu-user-static, once."
        (cd "$work" && apt-get -o APT::Sandbox::User= download -qq qemu-user-static >&2 && dpkg-deb -x ./*.deb root) || {
            rm -rf "$work"
            return 1
        }
        mkdir -p "$cache"
        mv "$work/root" "$home"
        rm -rf "$work"
    fi
    echo "$home"
}

# emulator prints a line for binfmt_misc: programs of this processor run by that qemu.
emulator() { sed "s,:[^:]*:[A-Z]*\$,:$2/usr/bin/qemu-$1-static:F," "$2/usr/lib/binfmt.d/qemu-$1.conf"; }

# within runs a command where the line of $EMULATOR is registered.
# shellcheck disable=SC2016 # For that shell to expand.
within=(unshare --user --map-root-user --mount sh -c '
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc &&
    printf "%s" "$EMULATOR" >/proc/sys/fs/binfmt_misc/register &&
    exec "$@"' sh)

cd "$root"
flags=()
host=$(go env GOHOSTARCH)
[ "$(go env GOHOSTOS)" = linux ] || die "this needs Linux"
go build -o bin/ ./scripts/gotest # For this processor.
for arch; do
    case $arch in
    386)
        if [ "$host" != amd64 ]; then
            skip "$arch" "it runs natively on amd64 only"
            continue
        fi
        flags=()
        test_on "$arch"
        ;;
    arm | arm64 | s390x)
        name=${arch/arm64/aarch64}
        if ! qemu=$(fetch_qemu); then
            skip "$arch" "qemu-user-static cannot be fetched here"
            continue
        fi
        EMULATOR=$(emulator "$name" "$qemu")
        export EMULATOR
        if ! "${within[@]}" true 2>/dev/null; then
            skip "$arch" "this system does not let its users register an emulator (binfmt_misc)"
            continue
        fi
        flags=(-skip "$artefacts")
        test_on "$arch" "${within[@]}"
        ;;
    windows)
        if ! have wine; then
            skip "$arch" "Wine is not installed"
            continue
        fi
        test_under_wine
        ;;
    *) die "usage: $0 [386 | arm | arm64 | s390x | windows]..." ;;
    esac
done
[ "$skipped" -lt $# ] || say "Nothing was tested."
[ ${#failed[@]} -eq 0 ] || die "tests failed on ${failed[*]}"
