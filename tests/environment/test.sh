#!/usr/bin/env bash
# Every test on .venv's Python, and beside it those of export/; before that the fast ones on each other supported Python that setup.sh found.
# Exit status 0 only when all of them passed. The whole run's own closing line comes last.
set -euo pipefail
cd "$(dirname "$0")/../.."
workers=${PYTEST_WORKERS:-$(($(nproc) + 1))}          # one more than cores: system tests wait a lot

# Where the material and the peers are, nothing has a reason to skip.
complete=()
if [ -d "${EDGE_RUNTIME_MATERIAL:-../shared/material}" ] && [ "$(cat .cache/peers 2>/dev/null)" = complete ]; then complete=(--no-skips); fi

run() { # VENV WORKERS ARGUMENTS...
    local venv=$1 workers=$2
    shift 2
    [ "$workers" -gt 1 ] || workers=0                 # in its own process
    exec "$venv/bin/python" -m pytest -q -n "$workers" --dist worksteal "${complete[@]}" "$@" </dev/null
}

beside=()
trap '[ ${#beside[@]} -eq 0 ] || kill "${beside[@]}" 2>/dev/null || true' EXIT     # Ctrl-C does not reach what a script starts beside itself
trap 'exit 130' INT TERM

main=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
others=()
while read -r version _; do
    [ "$version" != "$main" ] || continue
    if [ -x ".venv-$version/bin/python" ]; then others+=("$version"); else echo "== Python $version: not found here, not tested"; fi
done <.cache/pythons.txt

# Side by side, in few processes each: every process imports and collects everything anew. With few random examples: what they look for is the
# same on every Python, and .venv's looks for it thoroughly.
failed=()
for version in "${others[@]}"; do
    run ".venv-$version" $(((workers + ${#others[@]} - 1) / ${#others[@]})) -p no:cacheprovider --hypothesis-profile brief -m "not system and not heavy and not slow and not material" \
        >".cache/fast-$version.log" 2>&1 &
    beside+=($!)
done
for index in "${!others[@]}"; do
    wait "${beside[index]}" || failed+=("Python ${others[index]}")
    echo "== Python ${others[index]}: fast tests"
    cat ".cache/fast-${others[index]}.log"
done
beside=()
[ ${#failed[@]} -eq 0 ] || echo "== FAILED: ${failed[*]}, see above"

# Those of export/ compute while the others wait for cameras and brokers.
exporting=""
if [ -x export/.venv/bin/python ]; then
    (cd export && exec .venv/bin/python -m pytest -q) >.cache/export.log 2>&1 </dev/null &
    exporting=$!
    beside=("$exporting")
else
    echo "== export: no Python that has TensorFlow here, not tested"
fi
echo "== Python $main: all tests"
(run .venv "$workers" -m "not slow" --durations 10) | tee .cache/whole.log || failed+=("Python $main")
if [ -n "$exporting" ]; then                           # its report comes whole, below the other
    wait "$exporting" || failed+=(export)
    beside=()
    echo "== export: training, conversion, parity, bundles"
    cat .cache/export.log
    tail -n 1 .cache/whole.log
fi
[ ${#failed[@]} -eq 0 ] || { echo "FAILED: ${failed[*]}" >&2; exit 1; }
