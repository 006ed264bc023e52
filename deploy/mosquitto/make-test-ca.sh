#!/usr/bin/env bash
# A certificate authority to try things with, a broker's certificate and some clients'. For a laboratory: the authority's key lies beside the rest.
#
#   usage: make-test-ca.sh DIR [--days N] [--host NAME|ADDRESS]... [--client NAME]...
#
#   make-test-ca.sh certs --host broker.city.example --client cam-017 --client city-ops
#
#   DIR/ca.pem  ca.key           the authority; kept when it is there
#   DIR/server.pem  server.key   for every --host (default: localhost and 127.0.0.1)
#   DIR/NAME.pem  NAME.key       one pair for each --client; its common name is the user name at the broker
#
# Keys are for their owner only (mode 600). --days is how long certificates last (default 30; -1: they have expired already).
# Exit status: 0 made, 1 openssl refused, 2 wrong arguments.
set -euo pipefail

usage() { sed -n 's/^# \{0,1\}//; 2,/^set /{/^set /d; p}' "$0" >&2; exit 2; }
[ $# -ge 1 ] && [ "${1#-}" = "$1" ] || usage
folder=$1; shift
days=30 hosts=() clients=()
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
        --days) [[ $2 =~ ^-?[0-9]+$ ]] || usage; days=$2 ;;
        --host) [[ $2 =~ ^[A-Za-z0-9.:-]+$ ]] || usage; hosts+=("$2") ;;
        --client) [[ $2 =~ ^[A-Za-z0-9._-]+$ && ! $2 =~ ^(ca|server)$ ]] || usage;   # those two names are taken
                  clients+=("$2") ;;
        *) usage ;;
    esac
    shift 2
done
[ ${#hosts[@]} -gt 0 ] || hosts=(localhost 127.0.0.1)
command -v openssl >/dev/null || { echo "openssl is missing: apt-get install openssl" >&2; exit 1; }

umask 077
mkdir -p "$folder"
cd "$folder"
log=$(mktemp)
extensions=$(mktemp)
request=$(mktemp)
trap 'rm -f "$log" "$extensions" "$request"' EXIT
run() { openssl "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }; }

if [ ! -e ca.key ]; then
    run req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 3650 -subj "/CN=test authority" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
fi

# issue FILE COMMON_NAME USAGE [SUBJECT_ALTERNATIVE_NAMES]
issue() {
    printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$3" >"$extensions"
    printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' >>"$extensions"
    [ -z "${4-}" ] || printf 'subjectAltName=%s\n' "$4" >>"$extensions"
    run req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$request" -subj "/CN=$2"
    run x509 -req -in "$request" -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 15)" -out "$1.pem" -days "$days" -extfile "$extensions"
}

names=""
for host in "${hosts[@]}"; do
    if [[ $host =~ ^[0-9.]+$ || $host == *:* ]]; then kind=IP; else kind=DNS; fi
    names="${names:+$names,}$kind:$host"
done
issue server "${hosts[0]}" serverAuth "$names"
for client in ${clients[@]+"${clients[@]}"}; do
    issue "$client" "$client" clientAuth
done
chmod 644 ca.pem server.pem
chmod 600 ca.key server.key
