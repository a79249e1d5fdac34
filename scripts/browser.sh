#!/bin/sh
# Prints the path of a Chromium for the browser tests; installs it on Debian and Ubuntu when run as root.
set -eu

for name in ${WAYPOST_CHROMIUM:-} chromium chromium-browser google-chrome; do
    if command -v "$name" 2>/dev/null; then
        exit 0
    fi
done

do="install chromium (Debian: apt-get install chromium fonts-dejavu-core), or name a Chrome in WAYPOST_CHROMIUM"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    printf 'error: no browser for the tests\n  found: no chromium, chromium-browser or google-chrome\n  do:    %s\n' "$do" >&2
    exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "browser: installing chromium" >&2
if ! { apt-get -o DPkg::Lock::Timeout=300 update && DEBIAN_FRONTEND=noninteractive apt-get \
    -o DPkg::Lock::Timeout=300 install -y --no-install-recommends chromium fonts-dejavu-core; } >"$log" 2>&1; then
    printf 'error: no browser for the tests\n  found: %s\n  do:    %s\n' "$(tail -3 "$log")" "$do" >&2
    exit 1
fi
command -v chromium
