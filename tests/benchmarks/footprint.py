"""The daemon with one live camera: how soon it is ready, cold and warm, and how much memory it takes, its capture child included.

Memory is the proportional set size (PSS) of the daemon and all its descendants: pages that they share are counted once.

    python -m tests.benchmarks.footprint
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from edge_runtime.runtime.measure import Spread
from tests.benchmarks.street import Street, street
from tests.benchmarks.table import Row, Section, show
from tests.peers.daemon import DaemonProcess
from tests.peers.rtsp import RtspServer

PSS_MB = 340.0
WARM_START_S = 2.5
_SETTLE_S = 8.0  # the first frames, health messages and counting windows are behind it then
_SAMPLES = 5
_FIELDS = {"Rss": "rss_mb", "Pss": "pss_mb", "Pss_Anon": "own_mb", "Pss_Shmem": "own_mb"}


def section(place: Street, starts: int = 3) -> Section:
    """Start the daemon cold once and warm `starts` times, on a real RTSP camera; sample the last one's memory."""
    cache = {"NUMBA_CACHE_DIR": str(place.folder / "kernels")}
    with RtspServer({"/main": place.clip}) as server:
        config = place.config("live", source=server.url("/main"), fps=10)
        cold_s, _ = _start(config, cache, sample=False)
        warm = [_start(config, cache, sample=number == starts - 1) for number in range(starts)]
    samples = warm[-1][1]
    rows = [
        Row("start to ready, kernels compiled anew", "s", Spread.of([cold_s])),
        Row("start to ready, warm", "s", Spread.of([ready_s for ready_s, _ in warm]), WARM_START_S, "at most"),
        Row("PSS of daemon and capture child", "MB", Spread.of([sample["pss_mb"] for sample in samples]), PSS_MB, "at most"),
        Row("processes", "", Spread.of([sample["processes"] for sample in samples])),
    ]
    return Section("daemon", "one live 1080p camera over RTSP at 10 frames/s", rows)


def _start(config: Path, env: dict[str, str], *, sample: bool) -> tuple[float, list[dict[str, float]]]:
    began = time.perf_counter()
    with DaemonProcess(config, env=env) as daemon:
        ready_s = time.perf_counter() - began
        samples = []
        if sample:
            time.sleep(_SETTLE_S)
            for _ in range(_SAMPLES):
                samples.append(footprint(daemon.pid))
                time.sleep(1.0)
        daemon.stop()
    return ready_s, samples


def footprint(pid: int) -> dict[str, float]:
    """Memory (10⁶ bytes), threads, file descriptors and processes of `pid` and all its descendants, now.

    `own_mb` is what they made themselves, heaps and shared frames: libraries are not in it, which other programs may share too or not.
    """
    found = {"rss_mb": 0.0, "pss_mb": 0.0, "own_mb": 0.0, "threads": 0.0, "fds": 0.0, "processes": 0.0}
    root = psutil.Process(pid)
    for each in (root, *root.children(recursive=True)):
        try:
            rollup = Path(f"/proc/{each.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
            threads, fds = each.num_threads(), each.num_fds()
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):  # it ended while we looked
            continue
        for line in rollup:
            key, _, rest = line.partition(":")
            if key in _FIELDS:
                found[_FIELDS[key]] += int(rest.split()[0]) * 1024 / 1e6
        found["threads"] += threads
        found["fds"] += fds
        found["processes"] += 1
    return found


def main(argv: Sequence[str] | None = None) -> int:
    with tempfile.TemporaryDirectory(prefix="footprint-") as folder, street(Path(folder)) as place:
        show([section(place)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
