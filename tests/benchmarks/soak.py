"""The daemon at full speed for minutes: does its memory grow?

A clip is played as a camera, again and again, at all its pictures a second; memory, threads and descriptors of the daemon and its children
are sampled, and a line is fitted through what comes after the warm-up. A leak goes on and on; a buffer that is taken late is one step, and told
apart from it. What counts is the memory that they made themselves (heaps, shared
frames); RSS and PSS, which hold libraries that other programs share or not, are told beside it.

    python -m tests.benchmarks.soak [--minutes 10] [--cameras 2]

Exit status 1 when the slope is above the limit, or threads or descriptors grew.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.footprint import footprint
from tests.benchmarks.street import Street, street
from tests.peers.daemon import DaemonProcess
from tests.peers.rtsp import RtspServer

SLOPE_MB_H = 5.0
WARM_UP = 0.2  # of the time: caches fill, allocators find their size
_SAMPLE_S = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--cameras", type=int, default=2, help="live cameras, each at 30 frames a second (default 2)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, street(Path(folder)) as place:
        samples = soak(place, 60 * args.minutes, args.cameras)
    return report(samples)


def soak(place: Street, seconds: float, cameras: int) -> list[dict[str, float]]:
    """Run the daemon and sample it; each sample has `hours` since the start too."""
    paths = [f"/camera{number}" for number in range(1, cameras + 1)]
    with RtspServer(dict.fromkeys(paths, place.clip)) as server:
        config = place.config("soak", source=server.url(paths[0]), fps=30)
        table = config.read_text(encoding="utf-8")
        head, _, camera = table.partition("[[camera]]")
        tables = [camera.replace('"main"', f'"main{path[-1]}"').replace(server.url(paths[0]), server.url(path)) for path in paths]
        config.write_text(head + "".join(f"[[camera]]{each}" for each in tables), encoding="utf-8")
        samples = []
        with DaemonProcess(config) as daemon:
            began = time.monotonic()
            while (elapsed_s := time.monotonic() - began) < seconds:
                samples.append({"hours": elapsed_s / 3600, **footprint(daemon.pid)})
                time.sleep(min(_SAMPLE_S, max(0.0, seconds - elapsed_s)))
            daemon.stop()
    return samples


def report(samples: Sequence[dict[str, float]]) -> int:
    """Slopes after the warm-up, as lines for people and one JSON object."""
    settled = [sample for sample in samples if sample["hours"] >= WARM_UP * samples[-1]["hours"]]
    if len(settled) < 3:
        raise SystemExit("too short: a slope needs at least three samples after the warm-up; give more --minutes")
    found = {name: slope(settled, name) for name in ("own_mb", "rss_mb", "pss_mb")}
    grown = {name: settled[-1][name] - settled[0][name] for name in ("threads", "fds", "processes")}
    for name, per_hour in found.items():
        first, last = settled[0][name], settled[-1][name]
        print(f"{name}: {first:.1f} after the warm-up, {last:.1f} at the end, {per_hour:+.2f} an hour by least squares")
    steady = creep(settled, "own_mb")
    print(f"own_mb, single steps left out: {steady:+.2f} an hour (limit {SLOPE_MB_H:g}); largest step {largest_step(settled, 'own_mb'):+.1f}")
    for name in grown:
        print(f"{name}: {settled[0][name]:.0f} after the warm-up, {settled[-1][name]:.0f} at the end")
    failed = steady > SLOPE_MB_H or any(by > 0 for by in grown.values())
    print(json.dumps({"minutes": round(60 * samples[-1]["hours"], 2), "mb_per_hour": {**found, "creep": steady}, "grown": grown, "failed": failed}))
    return 1 if failed else 0


def creep(samples: Sequence[dict[str, float]], name: str) -> float:
    """The median of the slopes of all pairs (Theil, 1950; Sen, JASA 63, 1968): one step, of a buffer taken late, is no leak and leaves it at 0."""
    hours = np.array([sample["hours"] for sample in samples])
    values = np.array([sample[name] for sample in samples])
    first, later = np.triu_indices(len(samples), 1)
    return float(np.median((values[later] - values[first]) / (hours[later] - hours[first])))


def largest_step(samples: Sequence[dict[str, float]], name: str) -> float:
    """From one sample to the next."""
    return float(np.diff([sample[name] for sample in samples]).max())


def slope(samples: Sequence[dict[str, float]], name: str) -> float:
    """Least squares: `name` an hour."""
    return float(np.polyfit([sample["hours"] for sample in samples], [sample[name] for sample in samples], 1)[0])


if __name__ == "__main__":
    sys.exit(main())
