#!/usr/bin/env bash
# What the gate only samples: scripts/nightly.sh [NUMBERS OF STEPS, default all].
# A step that fails does not stop those after it. Ends with a table of steps, seconds and results, which
# is also in build/nightly.txt, and fails if one of them did.
# NIGHTLY_SEEDS and SEED_START: seeds of the simulator. RUNS and MINUTES: chaos.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=.venv/bin/python
pytest=.venv/bin/pytest
table=build/nightly.txt
failed=0
unset PYTHONDONTWRITEBYTECODE # as scripts/test.sh
export PYTHONPYCACHEPREFIX=$PWD/build/pycache

seeds() {
    $python -m tests.simulation run --seeds "${NIGHTLY_SEEDS:-20000}" --start "${SEED_START:-0}"
}

seeded_bugs() {
    $python -m tests.simulation seeded-bugs
}

examples() { # other examples each night, and more of them
    HYPOTHESIS_PROFILE=deep $pytest tests -m "(hypothesis or nightly) and not real_api" \
        -n auto --dist worksteal --timeout 3600
}

crashpoints() {
    make crashpoints
}

chaos() {
    make chaos RUNS="${RUNS:-200}" MINUTES="${MINUTES:-60}"
}

end_to_end() { # those that disturb the operator or the cluster after the others
    $python -m e2e.cluster up && $python -m e2e.cluster images && . scripts/cluster-env.sh || return
    local code=0
    $pytest e2e -m "e2e and nightly and not alone" -n 4 --dist loadfile || code=$?
    $pytest e2e -m "e2e and nightly and alone" || code=$?
    return "$code"
}

python_313() {
    make unit-313
}

steps=(
    "seeds|seeds of the simulator"
    "seeded_bugs|seeded bugs"
    "examples|random examples, and tests that take long"
    "crashpoints|all crash points"
    "chaos|chaos"
    "end_to_end|end-to-end tests that wait long"
    "python_313|Python 3.13, the version of the images"
)
[ "$#" -gt 0 ] || set -- $(seq "${#steps[@]}")

mkdir -p build
printf 'commit %s\nseconds  result  step\n' "$(git rev-parse --short HEAD 2>/dev/null)" >"$table"
for number in "$@"; do
    step=${steps[$((number - 1))]}
    name="$number/${#steps[@]}: ${step#*|}"
    echo "nightly $name"
    began=$SECONDS
    result=passed
    "${step%%|*}" || result=FAILED
    [ "$result" = passed ] || failed=1
    printf '%7d  %s  %s\n' $((SECONDS - began)) "$result" "$name" >>"$table"
done
echo
cat "$table"
exit "$failed"
