"""What a simulated street costs a frame: drawing it, and decoding the same pictures as H.264 for comparison. CPU time of one thread, in turns.

    python -m tests.benchmarks.drawing [--scene junction] [--weather day] [--size 1280x720]

A frame is what the daemon's source does at 10 a second: the world goes on by a tenth of a second, then the picture is drawn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.runtime.measure import Spread, alternate, bare_decode_s
from edge_runtime.sources import SourceSpec, street_options
from edge_runtime.sources.film import Film
from edge_runtime.sources.sim.source import SimFootage
from tests.benchmarks.table import Row, Section, show

FPS = 10
FRAMES = 40
TARGET_MS = {"1280x720": 5.0, "640x360": 2.0}


class Drawn:
    """One street that goes on from round to round."""

    def __init__(self, url: str) -> None:
        self.source = SimFootage(SourceSpec(name="street", url=url, fps=FPS), street_options(f"{url}&seconds=86400"))
        self.source.open()
        self.cost_s()  # the first pictures fill caches

    def cost_s(self) -> float:
        """CPU seconds a frame."""
        began = time.process_time()
        for _ in range(FRAMES):
            self.source.read(0)
        return (time.process_time() - began) / FRAMES


def film(url: str, path: Path) -> None:
    """FRAMES pictures of a street as a clip."""
    source = SimFootage(SourceSpec(name="street", url=url, fps=FPS), street_options(url))
    source.open()
    with Film(path, FPS) as out:
        for _ in range(FRAMES):
            frame = source.read(0)
            assert frame is not None
            out.write(frame.planes[0], frame.stamp.mono_ns)


def rows(folder: Path, rounds: int, scene: str, weather: str, sizes: Sequence[str]) -> list[Row]:
    """Two rows a size: drawing, and how it compares to decoding."""
    found = []
    for size in sizes:
        url = f"sim:{scene}?weather={weather}&size={size}"
        clip = folder / f"{scene}-{weather}-{size}.mp4"
        film(url, clip)
        street = Drawn(url)
        drawn, decoded = alternate(rounds, street.cost_s, lambda clip=clip: bare_decode_s(clip))
        name = f"{scene}, {weather}, {size}"
        found.append(Row(f"drawing {name}", "ms", Spread.of([1000 * each for each in drawn]), TARGET_MS.get(size), "at most"))
        found.append(Row("  decoding the same as H.264", "ms", Spread.of([1000 * each for each in decoded])))
        found.append(Row("  drawing ÷ decoding", "", Spread.of([a / b for a, b in zip(drawn, decoded, strict=True)])))
    return found


def section(folder: Path, rounds: int) -> Section:
    """By day and, dearest, on a wet night."""
    every = [row for weather in ("day", "night-rain") for row in rows(folder, rounds, "junction", weather, tuple(TARGET_MS))]
    return Section("drawing", f"CPU a frame on one thread, a simulated street at {FPS} frames/s", every)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.drawing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", default="junction")
    parser.add_argument("--weather", default="day")
    parser.add_argument("--size", default=None, help="default 1280x720 and 640x360")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="drawing-") as folder:
        sizes = tuple(TARGET_MS) if args.size is None else (args.size,)
        show([Section("drawing", "CPU a frame on one thread", rows(Path(folder), args.rounds, args.scene, args.weather, sizes))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
