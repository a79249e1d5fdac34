#!/usr/bin/env bash
# Every test, on all cores: scripts/test.sh [--check] [--only-cluster] [ARGUMENTS OF PYTEST].
# --check: the linters and types too, which makes it the gate. --only-cluster: what needs a cluster.
# The cluster and the images are made in the background while the tests that need none run; what that
# writes is in build/cluster.log, and is shown when it fails. Ends with a table of what took how long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=.venv/bin/python
log=build/cluster.log
workers=${WAYPOST_TEST_WORKERS:-$(nproc)}
preparing=""

mkdir -p build
$python -m tests.durations clear

finish() { # also after a failure: nothing of this run goes on, and the table says what ran
    code=$?
    if [ -n "$preparing" ] && kill -TERM "$preparing" 2>/dev/null; then
        wait "$preparing" || true
    fi
    echo
    $python -m tests.durations table
    exit $code
}
trap finish EXIT

step() { # name, command...: run it, note its seconds
    local name=$1 began=$SECONDS
    shift
    "$@"
    $python -m tests.durations step "$name" $((SECONDS - began))
}

prepare() { # one process after the other, the last with the signal that ends this run
    set -e
    began=$SECONDS
    trap 'kill -TERM "$child" 2>/dev/null; wait "$child"; exit 1' TERM
    for command in "cluster up" "cluster images" "cluster tools" "cluster.objectstore"; do
        # shellcheck disable=SC2086  # a module and its argument
        $python -m e2e.$command &
        child=$!
        wait "$child"
    done
    echo $((SECONDS - began)) >build/cluster.seconds
}

prepare_ui() { # what the browser tests need; each says what to do when it cannot
    scripts/ui.sh && scripts/browser.sh >/dev/null
}

prepared() { # wait for the cluster; say what it is doing meanwhile
    local shown="" last=""
    while kill -0 "$preparing" 2>/dev/null; do
        last=$(grep '^\[' "$log" | tail -n 1 || true)
        if [ "$last" != "$shown" ]; then
            echo "  $last"
            shown=$last
        fi
        sleep 1
    done
    local ended=0
    wait "$preparing" || ended=$?
    preparing=""
    if [ "$ended" -ne 0 ]; then
        printf 'error: the cluster did not come up\n  found: the end of %s:\n' "$log" >&2
        tail -n 40 "$log" | sed 's/^/    /' >&2
        printf '  do:    repair the cause; `make cluster` tries again\n' >&2
        exit 1
    fi
    $python -m tests.durations step "cluster and images, in the background" \
        "$(cat build/cluster.seconds)"
}

tests() { # name of the part, arguments of pytest...
    local name=$1 began=$SECONDS
    shift
    local code=0
    WAYPOST_PART=$name .venv/bin/pytest "$@" "${options[@]}" || code=$?
    # No test selected: somebody chose a few, and none is in this part.
    if [ "$code" -ne 0 ] && { [ "$code" -ne 5 ] || [ "${#options[@]}" -eq 0 ]; }; then
        exit "$code"
    fi
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
prepare >"$log" 2>&1 </dev/null &
preparing=$!

if $check; then
    echo "test: linters and types"
    step "check" scripts/check.sh
fi
if $without; then
    echo "test 1/4: without a cluster"
    tests "1 without a cluster" tests -m "not real_api and not e2e and not chart and not browser and not nightly" \
        -n "$workers" --dist worksteal
    echo "test: the web interface in a browser"
    step "web interface: build, browser" prepare_ui
    tests "1b web interface" tests/ui/browser -m "browser and not nightly" -n "$workers"
fi

echo "test: waiting for the cluster"
step "waiting for the cluster" prepared
. scripts/cluster-env.sh

echo "test 2/4: chart and API server, without an operator"
tests "2 chart and API server" tests -m "real_api or chart" -n "$workers" --dist loadfile

echo "test 3/4: end to end, beside each other"
tests "3 end to end" e2e -m "e2e and not alone and not nightly" -n $((workers + 1)) --dist loadfile

echo "test 4/4: end to end, one after the other"
tests "4 end to end, alone" e2e -m "e2e and alone and not nightly"
