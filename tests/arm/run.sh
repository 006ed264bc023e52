#!/usr/bin/env bash
# The package on 64-bit Arm, without a board: under emulation, as a board would get it (wheels only, nothing compiled).
#
#   1 root      a Debian root of arm64, built once                                            root.sh
#   2 install   every wheel for aarch64 from outside, and this tree's own wheel
#   3 tests     the fast tests, inside
#   4 street    the same simulated street drawn here and inside; the truth must be equal, and nearly every pixel
#   5 footage   the same frames through the whole walk, here and inside; the crossings and counts must be equal
#
# Emulation proves that results are right; it says nothing about speed. Needs root on Debian, and the material for part 5.
# Mounts are made in a namespace of their own: they end with it, however this ends.
set -euo pipefail
if [ "$(id -u)" = 0 ] && [ -z "${ARM_NAMESPACE:-}" ]; then ARM_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"; fi
cd "$(dirname "$0")/../.."
top=$PWD
root=$(realpath -m "${EDGE_RUNTIME_ARM_ROOT:-.cache/arm-root}")
material=$(realpath -m "${EDGE_RUNTIME_MATERIAL:-../shared/material}")
frames=${EDGE_RUNTIME_ARM_FRAMES:-50}
python=$top/.venv/bin/python
mkdir -p .cache
times=()

step() { # NAME COMMAND...
    local name=$1 began=$SECONDS
    shift
    echo "== arm: $name"
    "$@"
    times+=("$name $((SECONDS - began)) s")
}

install_wheels() {
    local site=$root/opt/site stamp
    stamp=$(sha256sum <pyproject.toml)
    if [ "$(cat "$site/.stamp" 2>/dev/null)" != "$stamp" ]; then rm -rf "$site"; fi
    rm -rf .cache/wheel
    "$python" -m hatchling build -t wheel -d .cache/wheel >/dev/null
    .venv/bin/uv pip install -q --python-platform aarch64-manylinux_2_31 --python-version 3.11 --only-binary :all: \
        --target "$site" --reinstall-package edge-runtime .cache/wheel/*.whl --group test
    echo "$stamp" >"$site/.stamp"
}

# The tests and what they read, but not the package: inside, the installed wheel is tested.
copy_tests() {
    rm -rf "$root/opt/project"
    mkdir -p "$root/opt/project"
    git ls-files -z --cached --others --exclude-standard | grep -zv '^edge_runtime/' |
        while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
        tar -c --null -T - | tar -x -C "$root/opt/project"
}

inside() { # COMMAND...
    unshare --mount --pid --fork --kill-child "$top/tests/arm/inside.sh" "$root" "$material" "$@"
}

run_tests() {
    copy_tests
    # Layers, docs and packaging are about the tree, not the machine. Emulation is some ten times slower: few examples, generous limits.
    inside python3 -m pytest -q -n 2 -p no:cacheprovider --timeout 600 --hypothesis-profile arm \
        -m "not system and not heavy and not slow and not material and not native" --ignore tests/test_layers.py --ignore tests/test_docs.py --ignore tests/test_project.py tests
}

replay_both() {
    local case=$root/opt/case
    "$python" tests/arm/footage.py prepare "$material" "$case"
    "$python" tests/arm/footage.py replay /opt/case "$frames" --root "$root" --out here
    inside python3 /opt/project/tests/arm/footage.py replay /opt/case "$frames" --out inside
    "$python" tests/arm/footage.py compare "$case"
}

draw_both() {
    local street=$root/opt/street
    rm -rf "$street"
    "$python" tests/arm/street.py draw "$street" "$frames" --out here
    inside python3 /opt/project/tests/arm/street.py draw /opt/street "$frames" --out inside
    "$python" tests/arm/street.py compare "$street"
}

exec 9>.cache/arm.lock
flock -n 9 || { echo "test-arm: another run is under way in this folder" >&2; exit 1; }
step "root" tests/arm/root.sh "$root"
step "install" install_wheels
step "tests" run_tests
step "street" draw_both
if [ -d "$material" ]; then
    step "footage" replay_both
else
    echo "test-arm: no material at $material (set EDGE_RUNTIME_MATERIAL): the comparison of footage was skipped"
fi
printf -- '-- arm: %s\n' "${times[@]}"
