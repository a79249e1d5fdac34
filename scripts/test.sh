#!/usr/bin/env bash
# Every test, on all cores: scripts/test.sh [--check] [--only-cluster] [ARGUMENTS OF PYTEST].
# --check: the linters and types too, which makes it the gate. --only-cluster: what needs a cluster.
#
# Two things happen at the same time. The tests without a cluster compute. Meanwhile the cluster and
# the images are made, and then the end-to-end tests that must be alone on the cluster run there: most
# of their time they wait. They write to build/cluster.log and build/alone.log, which are shown.
# Ends with a table of what took how long, also after a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=.venv/bin/python
log=build/cluster.log
alone=build/alone.log
up=build/cluster.seconds
workers=${WAYPOST_TEST_WORKERS:-$(nproc)}
background="" child=""
# What runs on the cluster comes first: it waits for answers, the rest computes.
gently="nice -n 5"

# A machine may forbid it, and then each process compiles what it imports: half of what it takes to
# begin, and most of what pytest needs to find the tests.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX=$PWD/build/pycache

mkdir -p build
rm -f "$up" "$alone"
$python -m tests.durations clear

finish() { # also after a failure: no process of this run is left, and the table says what ran
    code=$?
    if [ -n "$background" ] && kill -TERM "$background" 2>/dev/null; then
        echo "test: ending what runs in the background ($log, $alone)"
        wait "$background" || true
        # Bash may have died of the signal before a command that it had just begun.
        kill -TERM -- "-$background" 2>/dev/null || true
    fi
    echo
    $python -m tests.durations step "all of it" "$SECONDS"
    $python -m tests.durations table
    exit $code
}
trap finish EXIT

step() { # name, command...: run it, note its seconds, also when it fails
    local name=$1 began=$SECONDS code=0
    shift
    "$@" || code=$?
    $python -m tests.durations step "$name" $((SECONDS - began))
    [ "$code" -eq 0 ] || exit "$code"
}

one() { # command...: run it so that the signal that ends this run reaches it
    "$@" &
    child=$!
    wait "$child"
}

in_background() { # the cluster, and what runs on it beside the tests without one
    set -e
    local began=$SECONDS
    trap 'kill -TERM "$child" 2>/dev/null; wait "$child"; exit 1' TERM
    for command in "cluster up" "cluster images" "cluster tools" "cluster.objectstore"; do
        # shellcheck disable=SC2086  # a module and its argument
        one $python -m e2e.$command
    done >"$log" 2>&1
    echo $((SECONDS - began)) >"$up.new"
    mv "$up.new" "$up"
    if $without; then
        . scripts/cluster-env.sh
        # Its machine is busy: a test waits longer before it gives up.
        export WAYPOST_PATIENCE=${WAYPOST_PATIENCE:-4}
        alone -p no:cacheprovider >"$alone" 2>&1
    fi
}

alone() { # the tests that disturb the operator or the cluster
    local code=0
    WAYPOST_PART="2 end to end, alone" \
        one .venv/bin/pytest e2e -m "e2e and alone and not nightly" "$@" "${options[@]}" || code=$?
    none_chosen "$code" || return "$code"
}

none_chosen() { # exit code of pytest: passed, or somebody chose a few tests and none is in this part
    [ "$1" -eq 0 ] || { [ "$1" -eq 5 ] && [ "${#options[@]}" -gt 0 ]; }
}

prepare_ui() { # what the browser tests need; each says what to do when it cannot
    scripts/ui.sh && scripts/browser.sh >/dev/null
}

prepared() { # wait for the cluster; say what it is doing meanwhile
    local shown="" last=""
    while [ ! -f "$up" ] && kill -0 "$background" 2>/dev/null; do
        last=$(grep '^\[' "$log" | tail -n 1 || true)
        if [ "$last" != "$shown" ]; then
            echo "  $last"
            shown=$last
        fi
        sleep 1
    done
    if [ ! -f "$up" ]; then
        wait "$background" || true
        background=""
        printf 'error: the cluster did not come up\n  found: the end of %s:\n' "$log" >&2
        tail -n 40 "$log" | sed 's/^/    /' >&2
        printf '  do:    repair the cause; `make cluster` tries again\n' >&2
        exit 1
    fi
    $python -m tests.durations step "cluster and images, in the background" "$(cat "$up")"
}

ended() { # wait until nothing runs in the background
    local code=0
    wait "$background" || code=$?
    background=""
    [ ! -f "$alone" ] || cat "$alone"
    return "$code"
}

marked() { # marker: the files of tests that set it, and the folders whose conftest.py does
    # Pytest would import every test of the repository, in each worker, to choose these few.
    grep -rlE --include='*.py' "mark\.$1\b" tests | sed 's|/conftest\.py$||' | sort -u
}

tests() { # name of the part, arguments of pytest...
    local name=$1 began=$SECONDS
    shift
    local code=0
    # shellcheck disable=SC2086  # a command and its arguments, or nothing
    WAYPOST_PART=$name $gently .venv/bin/pytest "$@" "${options[@]}" || code=$?
    none_chosen "$code" || exit "$code"
    echo "  $name: $((SECONDS - began)) s"
}

check=false without=true
while :; do
    case ${1:-} in
    --check) check=true ;;
    --only-cluster) without=false ;;
    *) break ;;
    esac
    shift
done
options=("$@")

echo "test: cluster, tools and images in the background ($log)"
set -m # a separate process group
in_background </dev/null &
background=$!
set +m

if $check; then
    echo "test: linters and types"
    step "check" $gently scripts/check.sh
fi
if $without; then
    echo "test 1/4: without a cluster (2/4 at the same time: $alone)"
    tests "1 without a cluster" tests -m "not real_api and not e2e and not chart and not browser and not nightly" \
        -n "$workers" --dist worksteal
    echo "test: the web interface in a browser"
    step "web interface: build, browser" prepare_ui
    tests "1b web interface" tests/ui/browser -m "browser and not nightly" -n "$workers"
fi

$without || step "web interface" scripts/ui.sh # for waypost trace -o html

echo "test: waiting for the cluster"
step "waiting for the cluster" prepared
. scripts/cluster-env.sh

needs_api="real_api or chart"
mapfile -t needing_api < <(marked real_api && marked chart)
if $without; then
    # They need helm, which has come with the cluster, and part 2 still waits.
    mapfile -t charts < <(marked chart)
    tests "1c chart" "${charts[@]}" -m "chart" -n "$workers" --dist loadfile
    needs_api="real_api"
    mapfile -t needing_api < <(marked real_api)
fi

gently=""
echo "test 2/4: end to end, one after the other"
step "waiting for 2" ended
$without || alone

echo "test 3/4: API server, without an operator"
tests "3 API server" "${needing_api[@]}" -m "$needs_api" -n "$workers" --dist loadfile

echo "test 4/4: end to end, beside each other"
tests "4 end to end" e2e -m "e2e and not alone and not nightly" -n $((workers + 2)) --dist loadfile
