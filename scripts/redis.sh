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
"$(dirname "$0")/debian.sh" "Redis for the tests" "no redis-server, valkey-server or redis-check-rdb" \
    "install Redis (Debian: apt-get install redis-tools)" redis-tools
command -v redis-check-rdb
