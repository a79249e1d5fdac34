#!/bin/sh
# scripts/debian.sh PURPOSE FOUND DO PACKAGE...: installs packages on Debian and Ubuntu when run as root. Otherwise
# it fails, and says what was found and what to do.
set -eu

purpose=$1 found=$2 do=$3
shift 3

refuse() { # what was found
    printf 'error: no %s\n  found: %s\n  do:    %s\n' "$purpose" "$1" "$do" >&2
    exit 1
}

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    refuse "$found"
fi
exec 9>"${TMPDIR:-/tmp}/waypost-debian.lock" # apt-get update does not wait for another one
flock 9
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "installing $*" >&2
if ! { apt-get -o DPkg::Lock::Timeout=300 update && DEBIAN_FRONTEND=noninteractive apt-get \
    -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
    refuse "$(tail -3 "$log")"
fi
