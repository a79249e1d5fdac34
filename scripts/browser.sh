#!/bin/sh
# Prints the path of a Chromium for the browser tests; installs it on Debian and Ubuntu when run as root.
set -eu

for name in ${WAYPOST_CHROMIUM:-} chromium chromium-browser google-chrome; do
    if command -v "$name" 2>/dev/null; then
        exit 0
    fi
done
"$(dirname "$0")/debian.sh" "browser for the tests" "no chromium, chromium-browser or google-chrome" \
    "install chromium (Debian: apt-get install chromium fonts-dejavu-core), or name a Chrome in WAYPOST_CHROMIUM" \
    chromium fonts-dejavu-core
command -v chromium
