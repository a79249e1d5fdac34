#!/bin/sh
# Prints the path of a Redis server for the tests with Argo CD; installs it on Debian and Ubuntu when run as root.
set -eu

# The program of the package redis-tools is the server too, if it is started under that name. The package
# redis-server would start a service.
for name in redis-server valkey-server redis-check-rdb; do
    if command -v "$name" 2>/dev/null; then
        exit 0
    fi
done

do="install Redis (Debian: apt-get install redis-tools)"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    printf 'error: no Redis for the tests\n  found: no redis-server, valkey-server or redis-check-rdb\n  do:    %s\n' "$do" >&2
    exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "redis: installing redis-tools" >&2
if ! { apt-get -o DPkg::Lock::Timeout=300 update && DEBIAN_FRONTEND=noninteractive apt-get \
    -o DPkg::Lock::Timeout=300 install -y --no-install-recommends redis-tools; } >"$log" 2>&1; then
    printf 'error: no Redis for the tests\n  found: %s\n  do:    %s\n' "$(tail -3 "$log")" "$do" >&2
    exit 1
fi
command -v redis-check-rdb
