"""Do counts hang on a constant? Each number that the tracker and the line believe in is changed by a third, one at a time.

    python -m tests.benchmarks.track_sensitivity [RECORDED.npz X1,Y1,X2,Y2 FORWARD BACKWARD …]

Without arguments a made-up road with exact truth is counted; with a film's recorded detections (`record_detections`) and lines in pixels with their
true crossings, that film too. Printed: miscounted over all lines and rates (every frame, every 2nd, 3rd, 4th, 6th), for × 0.7 and × 1.3.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from edge_runtime.analyse import passage
from edge_runtime.analyse.line import LineCounter, LineOptions
from edge_runtime.track.bytetrack import ByteTracker, TrackerOptions
from edge_runtime.types import Detections, Size
from tests.benchmarks.record_detections import load
from tests.track.traffic import LABELS, SIZE, USUAL, Traffic

VEHICLES = (2, 3, 5, 7)  # car, motorcycle, bus, truck among COCO's labels
BOUNDS = {"min_score", "track_floor", "max_tracks", "flow_samples"}  # the user's own, and memory
LINE_CONSTANTS = ("MARGIN", "TRAVEL", "PROOF")
Case = tuple[list[Detections], Size, tuple[str, ...], list[tuple[LineOptions, int, int]]]


def road(seed: int, rate: float) -> Case:
    """One made-up case with three lines."""
    traffic = Traffic(seed)
    times = traffic.times(rate)
    lines = []
    for y in (200, 300, 400):
        options = LineOptions(name="line", points=((0, y / SIZE.height), (1, y / SIZE.height)))
        lines.append((options, *traffic.truth(y, times[0], times[-1])))
    return list(traffic.frames(times, USUAL)), SIZE, LABELS, lines


def film(path: Path, lines: list[tuple[LineOptions, int, int]]) -> list[Case]:
    """A recorded film, at five rates."""
    found, size = load(path)
    kept = []
    for frame in found:
        wanted = np.isin(frame.label, VEHICLES)
        kept.append(Detections(frame.stamp, frame.xyxy[wanted], frame.score[wanted], frame.label[wanted]))
    return [(kept[::every], size, tuple(map(str, range(80))), lines) for every in (1, 2, 3, 4, 6)]


def miscounted(case: Case, options: TrackerOptions) -> int:
    """Sum over lines and directions of |counted − true|."""
    frames, size, labels, lines = case
    tracker = ByteTracker(options)
    counters = [LineCounter(line, size, labels, "film") for line, _, _ in lines]
    for frame in frames:
        tracks = tracker.step(frame)[0]
        for counter in counters:
            counter.step(tracks)
    truth = [(forward, backward) for _, forward, backward in lines]
    totals = [counter.totals for counter in counters]
    return sum(abs(total["forward"] - f) + abs(total["backward"] - b) for total, (f, b) in zip(totals, truth, strict=True))


@contextmanager
def changed(name: str, factor: float) -> Iterator[TrackerOptions]:
    """The defaults, but for one number."""
    options = TrackerOptions()
    if name in LINE_CONSTANTS:
        with patch.object(passage, name, getattr(passage, name) * factor):
            yield options
        return
    value = getattr(options, name) * factor
    yield replace(options, **{name: min(value, 0.99) if name in {"detected", "part", "duplicate"} else value})


def main(arguments: list[str]) -> None:
    """See the module."""
    cases: dict[str, list[Case]] = {"road": [road(seed, rate) for seed in range(2) for rate in (30.0, 10.0, 5.0)]}
    if arguments:
        lines = []
        for points, forward, backward in zip(*(iter(arguments[1:]),) * 3, strict=True):
            x1, y1, x2, y2 = map(float, points.split(","))
            lines.append((LineOptions(name="line", points=((x1, y1), (x2, y2)), units="px"), int(forward), int(backward)))
        cases["film"] = film(Path(arguments[0]), lines)
    total = {name: sum(f + b for case in group for _, f, b in case[3]) for name, group in cases.items()}

    def count(options: TrackerOptions) -> str:
        return "  ".join(f"{name} {sum(miscounted(case, options) for case in group):4d}/{total[name]}" for name, group in cases.items())

    print(f"{'as it is':18} {count(TrackerOptions())}", flush=True)
    names = [field.name for field in fields(TrackerOptions) if field.name not in BOUNDS]
    for name in [*names, *LINE_CONSTANTS]:
        for factor in (0.7, 1.3):
            with changed(name, factor) as options:
                print(f"{name:14}×{factor} {count(options)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
