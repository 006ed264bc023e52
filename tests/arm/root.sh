#!/usr/bin/env bash
# A 64-bit Arm Debian in a folder, run under emulation: built once, kept for the next run.
#
#   usage: root.sh ROOT
#
# ROOT.building becomes ROOT only when it is whole, so a run that was cut off leaves nothing that looks finished.
set -euo pipefail

root=${1:?usage: root.sh ROOT}
suite=bookworm
packages=python3,python3-venv,ca-certificates,libgomp1

die() { echo "test-arm: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "building a root and entering it needs root; this is user $(id -un). Run: sudo make test-arm"
command -v apt-get >/dev/null || die "needs Debian or a relative of it (debootstrap, qemu-user-static, binfmt-support); there is no apt-get here"

here=$(cd "$(dirname "$0")" && pwd)
"$here/../environment/debian.sh" debootstrap qemu-user-static binfmt-support

# The kernel hands Arm programs to QEMU; flag F keeps the interpreter open, so that the root needs no copy of it.
if [ "$(uname -m)" != aarch64 ]; then
    mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc    # newer kernels forget it with its last mount
    [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64
    grep -q '^flags:.*F' /proc/sys/fs/binfmt_misc/qemu-aarch64 || die "the kernel's qemu-aarch64 handler lacks flag F (fix binary): install Debian's qemu-user-static"
fi

if [ -x "$root/usr/bin/python3" ]; then
    echo "test-arm: root $root is there already"
    exit 0
fi
rm -rf "$root.building"
mkdir -p "$(dirname "$root")"
nice debootstrap --arch=arm64 --foreign --variant=minbase --include="$packages" "$suite" "$root.building" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; die "debootstrap failed, whole log in $root.log"; }
nice chroot "$root.building" /debootstrap/debootstrap --second-stage >>"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" "$root.building/debootstrap/debootstrap.log" >&2; die "the second stage failed, whole log in $root.log"; }
mv "$root.building" "$root"
