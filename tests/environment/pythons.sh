#!/usr/bin/env bash
# Where the supported Pythons are: one line each, VERSION PATH, the preferred one first; PATH is "-" where there is none.
#
# Looked for in pyenv's folder, on PATH and where uv keeps its own; a shim that answers "not installed" does not count.
set -euo pipefail

supported=${PYTHONS:-3.11 3.12 3.13 3.10}          # 3.11 first: Debian 12's, so what most boards run

is_version() { # PATH VERSION
    [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$2" ]
}

find_python() { # VERSION
    local candidate
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python "$(command -v "python$1" || true)" \
        "$(UV_PYTHON_DOWNLOADS=never uv python find "$1" 2>/dev/null || true)"; do
        if [ -x "$candidate" ] && is_version "$candidate" "$1"; then
            echo "$candidate"
            return
        fi
    done
    echo -
}

for version in $supported; do
    echo "$version $(find_python "$version")"
done
