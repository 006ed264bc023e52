#!/usr/bin/env bash
# Installs the Debian packages named on the command line, only those that are missing.
#
#   usage: debian.sh PACKAGE...
#
# Exit status: 0 all there, 1 an installation failed, 3 some are missing and this user cannot install them (their names on stderr).
set -euo pipefail

command -v dpkg-query >/dev/null || { echo "not a Debian system, so these have to be there by other means: $*" >&2; exit 3; }

missing=()
for package in "$@"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "missing, and user $(id -un) cannot install them: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 3
fi

echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Another installation may hold the lock for a moment, so apt waits. One foreign list that is out of order is not our failure; a missing package is.
apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 update >"$log" 2>&1 </dev/null || { echo "apt-get update was not clean:"; grep -E '^(E|W|Err)' "$log" || true; } >&2
apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 install --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null ||
    { tail -n 30 "$log" >&2; exit 1; }
