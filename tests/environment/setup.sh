#!/usr/bin/env bash
# Everything that tests and checks need, made once and kept: a second run finds it all there in a moment.
#
#   usage: setup.sh [--all-pythons | --demo]
#
#   .venv          the preferred Python, this package (editable), the dev group; with --demo the package alone, and nothing of what follows
#   .venv-X.Y      with --all-pythons: every other supported Python that is here, with the test group
#   export/.venv   with --all-pythons: the tools that train and convert, with TensorFlow, on the first Python that has it
#   .cache/numba   the kernels compiled before any test starts, so that parallel workers only load them
#   Debian         the peers that system tests start (broker, RTSP server, FFmpeg): by apt where this is root on Debian
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/environment
peers=(mosquitto mosquitto-clients iproute2 strace faketime gcc libc6-dev ffmpeg openssl glib-networking python3-gi gir1.2-gst-rtsp-server-1.0
    gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav)
export UV_PYTHON_DOWNLOADS=never
mkdir -p .cache

die() { echo "setup: $*" >&2; exit 1; }

# One setup at a time in this folder: a second waits for the first and then has nothing to do.
exec 9>.cache/setup.lock
flock 9

make_venv() { # FOLDER PYTHON GROUP ("" for the package alone, for which any environment with a group will do)
    local folder=$1 python=$2 group=$3 stamp quiet=-q what=(--editable .)
    stamp=$(cat pyproject.toml export/pyproject.toml edge_runtime/__init__.py "$here/setup.sh" <(pwd) | sha256sum)
    [ "$folder" != export/.venv ] || what+=(--editable export)
    [ -n "$group" ] || quiet=""                          # somebody waits for it
    case $([ ! -x "$folder/bin/python" ] || cat "$folder/.stamp" 2>/dev/null || true) in
        "$stamp" | "$stamp${group:- alone}") return ;;
    esac
    echo "setup: $folder from $python"
    if [ ! -x "$folder/bin/python" ]; then
        rm -rf "$folder"
        if [ -n "$uv" ]; then "$uv" venv -q --python "$python" "$folder"; else "$python" -m venv "$folder"; fi
    fi
    if [ -z "$uv" ]; then
        "$folder/bin/python" -m pip install -q --disable-pip-version-check uv
        uv=$PWD/$folder/bin/uv
    fi
    "$uv" pip install $quiet --python "$folder/bin/python" "${what[@]}" ${group:+--group "$group"}
    echo "$stamp$([ -n "$group" ] || echo " alone")" >"$folder/.stamp"
}

warming=()
trap '[ ${#warming[@]} -eq 0 ] || kill "${warming[@]}" 2>/dev/null || true' EXIT
warm_kernels() { # FOLDER: while the next environment is made
    "$1/bin/python" "$here/warm_kernels.py" </dev/null 9>&- &
    warming+=($!)
}

debian=""
if [ "${1:-}" != --demo ]; then
    "$here/debian.sh" "${peers[@]}" >.cache/debian.log 2>&1 </dev/null 9>&- &
    debian=$!
fi

uv=""
for candidate in "$(command -v uv || true)" "$PWD/.venv/bin/uv"; do
    if [ -x "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then uv=$candidate; break; fi
done
"$here/pythons.sh" >.cache/pythons.txt
main=$(awk '$2 != "-" { print $1, $2; exit }' .cache/pythons.txt)
[ -n "$main" ] || die "no supported Python here; expected one of: $(awk '{ print $1 }' .cache/pythons.txt | sort -V | xargs). Install one, e.g. apt-get install python3 python3-venv"
if [ -z "$debian" ]; then
    make_venv .venv "${main#* }" ""
    echo "setup: done in $SECONDS s"
    exit
fi
make_venv .venv "${main#* }" dev
warm_kernels .venv

if [ "${1:-}" = --all-pythons ]; then
    while read -r version python; do
        [ "$version" != "${main% *}" ] && [ "$python" != - ] || continue
        make_venv ".venv-$version" "$python" test
        warm_kernels ".venv-$version"
    done <.cache/pythons.txt
    trainer=$(awk '$2 != "-" && $1 != "3.10" { print $2; exit }' .cache/pythons.txt)
    if [ -n "$trainer" ]; then
        make_venv export/.venv "$trainer" export/pyproject.toml:test
    else
        echo "setup: export needs Python 3.11 to 3.13, found none: its tests will not run" >&2
    fi
fi

wait "$debian" && status=0 || status=$?
rm -f .cache/peers
case $status in
    0) echo complete >.cache/peers ;;                   # test.sh: then nothing may skip
    3) sed 's/^/setup: /' .cache/debian.log >&2; echo "setup: tests that need them will skip and say so" >&2 ;;
    *) cat .cache/debian.log >&2; die "apt could not install the peers of the system tests" ;;
esac

for process in "${warming[@]}"; do
    wait "$process" || die "the kernels did not compile"
done
