#!/usr/bin/env bash
# Every test on .venv's Python; before that the fast ones on each other supported Python that setup.sh found, and those of export/.
# Exit status 0 only when all of them passed. The whole run's own closing line comes last.
set -euo pipefail
cd "$(dirname "$0")/../.."
workers=${PYTEST_WORKERS:-$(($(nproc) + 1))}          # one more than cores: system tests wait a lot

# Where the material and the peers are, nothing has a reason to skip.
complete=()
if [ -d "${EDGE_RUNTIME_MATERIAL:-../shared/material}" ] && [ "$(cat .cache/peers 2>/dev/null)" = complete ]; then complete=(--no-skips); fi

run() { # VENV ARGUMENTS...
    local venv=$1
    shift
    "$venv/bin/python" -m pytest -q -n "$workers" --dist worksteal "${complete[@]}" "$@" </dev/null
}

failed=()
main=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
while read -r version python; do
    [ "$version" != "$main" ] || continue
    if [ ! -x ".venv-$version/bin/python" ]; then
        echo "== Python $version: not found here, not tested"
        continue
    fi
    echo "== Python $version: fast tests"
    run ".venv-$version" -p no:cacheprovider -m "not system and not heavy and not slow and not material" || failed+=("Python $version")
done <.cache/pythons.txt

[ ${#failed[@]} -eq 0 ] || echo "== FAILED: ${failed[*]}, see above"
# Those of export/ compute while the others wait for cameras and brokers.
exporting=""
trap '[ -z "$exporting" ] || kill "$exporting" 2>/dev/null || true' EXIT     # Ctrl-C does not reach what a script starts beside itself
trap 'exit 130' INT TERM
if [ -x export/.venv/bin/python ]; then
    (cd export && exec .venv/bin/python -m pytest -q) >.cache/export.log 2>&1 </dev/null &
    exporting=$!
else
    echo "== export: no Python that has TensorFlow here, not tested"
fi
echo "== Python $main: all tests"
run .venv -m "not slow" --durations 10 | tee .cache/whole.log || failed+=("Python $main")
if [ -n "$exporting" ]; then                           # its report comes whole, below the other
    wait "$exporting" || failed+=(export)
    exporting=""
    echo "== export: training, conversion, parity, bundles"
    cat .cache/export.log
    tail -n 1 .cache/whole.log
fi
[ ${#failed[@]} -eq 0 ] || { echo "FAILED: ${failed[*]}" >&2; exit 1; }
