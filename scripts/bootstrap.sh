#!/bin/sh
# Makes .venv from uv.lock. Needs Python 3.11+, and the network the first time.
#
# Runs before every make target that needs the environment, so the second run does nothing but
# compare checksums. uv is taken from PATH, else installed once into the cache folder:
# ${WAYPOST_CACHE:-${XDG_CACHE_HOME:-~/.cache}/waypost}.
set -eu

UV_REQUIREMENT="uv>=0.8"

cd "$(dirname "$0")/.."
cache=${WAYPOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/waypost}
stamp=.venv/.waypost-stamp

say() { printf '%s\n' "bootstrap: $*" >&2; }

fail() { # what could not be done, what was found, what to do
    printf 'error: %s\n  found: %s\n  do:    %s\n' "$1" "$2" "$3" >&2
    exit 1
}

wanted="$(cat pyproject.toml uv.lock scripts/bootstrap.sh | cksum) $PWD"
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

python=$(scripts/find-python.sh)

log=$(mktemp)
trap 'rm -f "$log"' EXIT

find_uv() {
    for candidate in "$(command -v uv 2>/dev/null || true)" "$cache/uv/bin/uv"; do
        if [ -n "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

install_uv() {
    say "installing uv into $cache/uv"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            fail "make a virtual environment" "$python has no venv module" \
                "install it (Debian, Ubuntu: apt-get install $version-venv) or put uv on PATH"
        fi
        say "installing $version-venv"
        { apt-get update && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends "$version-venv"; } >"$log" 2>&1 ||
            fail "install $version-venv" "$(tail -5 "$log")" "repair apt and run this again"
    fi
    mkdir -p "$cache"
    "$python" -m venv --clear "$cache/uv" >"$log" 2>&1 ||
        fail "make a virtual environment in $cache/uv" "$(tail -5 "$log")" "run this again"
    "$cache/uv/bin/python" -m pip install --quiet "$UV_REQUIREMENT" >"$log" 2>&1 ||
        fail "install uv from the Python package index" "$(tail -5 "$log")" \
            "check the network (a proxy? pip's own settings apply), or put uv on PATH"
}

uv=$(find_uv)
if [ -z "$uv" ]; then
    install_uv
    uv=$cache/uv/bin/uv
fi

say "making .venv with $("$uv" --version) and $("$python" --version)"
# Only what the lock file says; extras and the dev group are what the tests need.
if ! "$uv" sync --locked --quiet --python "$python" >"$log" 2>&1; then
    fail "make .venv from uv.lock" "$(tail -15 "$log")" \
        "check the network; if pyproject.toml was changed, run 'uv lock' and commit uv.lock"
fi
printf '%s' "$wanted" >"$stamp"
say "done"
