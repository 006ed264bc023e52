#!/usr/bin/env bash
# Runs a command inside an Arm root. Called in a mount and process namespace of its own, so nothing mounted here outlives it.
#
#   usage: unshare --mount --pid --fork --kill-child inside.sh ROOT MATERIAL COMMAND...
#
# Under emulation /proc/cpuinfo would show the host's x86 processor beside /sys, and ONNX Runtime's look at its processor ends in a
# segmentation fault. So the root sees, and QEMU plays, a Cortex-A72 (Raspberry Pi 4): the oldest core that counts.
set -euo pipefail
root=$1 material=$2
shift 2

mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sys "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind /dev "$root/dev"
if [ "$(uname -m)" != aarch64 ]; then
    for ((i = 0; i < $(nproc); i++)); do
        printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n' "$i"
        printf 'CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n'
    done >"$root/tmp/.cpuinfo"
    mount --bind "$root/tmp/.cpuinfo" "$root/proc/cpuinfo"
fi
if [ -d "$material" ]; then
    mkdir -p "$root/opt/material"
    mount --bind -o ro "$material" "$root/opt/material"
fi

chroot "$root" /usr/bin/env -i -C /opt/project HOME=/root LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin QEMU_CPU=cortex-a72 PYTHONPATH=/opt/site \
    NUMBA_CACHE_DIR=/var/cache/numba EDGE_RUNTIME_MATERIAL=/opt/material OMP_NUM_THREADS=1 "$@"
