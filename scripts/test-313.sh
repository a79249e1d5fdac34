#!/usr/bin/env bash
# The tests without a cluster that depend on Python, on Python 3.13, the version of the images:
# scripts/test-313.sh [ARGUMENTS OF PYTEST]. The environment is build/venv-3.13, made from uv.lock.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=$(command -v uv || true)
: "${uv:=${WAYPOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/waypost}/uv/bin/uv}"
export UV_PROJECT_ENVIRONMENT=build/venv-3.13
"$uv" sync --locked --quiet --python "${WAYPOST_PYTHON_313:-3.13}"
# A test is given up after an hour: with 10,000 evaluations, or on a machine that does other work,
# three minutes are too short for some of them.
exec build/venv-3.13/bin/python -m pytest -p no:cacheprovider -n auto --dist worksteal \
    --timeout 3600 \
    -m "not real_api and not e2e and not chart and not browser" \
    tests/unit tests/typed_edges tests/adapters tests/cli tests/crds tests/gateway tests/runner "$@"
