#!/bin/sh
# Everything that can be judged without running Waypost. Runs all checks, then tells what failed.
set -u

cd "$(dirname "$0")/.."
bin=.venv/bin
failed=""

check() { # name, command...
    name=$1
    shift
    printf 'check: %-22s' "$name"
    if output=$("$@" 2>&1); then
        echo ok
    else
        echo FAILED
        printf '%s\n' "$output" | sed 's/^/    /'
        failed="$failed $name"
    fi
}

check lint $bin/ruff check .
check format $bin/ruff format --check .
check types $bin/mypy operator/waypost node-images/runner/waypost_node node-images/agent/waypost_agent e2e tests examples scripts
check layers $bin/lint-imports --no-cache
check crds $bin/python -m waypost.api.crd.generate --check
check views-schema $bin/python -m waypost.views.schema --check
check manifest-schema $bin/python -m waypost.api.crd.manifest_schema --check
check argocd-settings $bin/python scripts/argocd_settings.py --check
check chart-crds diff -r crds charts/waypost/files/crds
check licences $bin/python -m scripts.supply.licences
check module-length $bin/python scripts/module_length.py

if [ -n "$failed" ]; then
    echo "check: failed:$failed (make fmt repairs lint and format, make crds the CRDs)"
    exit 1
fi
