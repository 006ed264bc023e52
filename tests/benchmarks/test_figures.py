"""The benchmarks' own arithmetic: verdicts, slopes, and that a failed run is no figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.runtime.measure import Spread
from tests.benchmarks import process
from tests.benchmarks.footprint import footprint
from tests.benchmarks.soak import creep, largest_step, report, slope
from tests.benchmarks.table import Row, Section, show, write
from tests.benchmarks.usual import LineCounter, Track, Tracker, iou


@pytest.mark.parametrize(
    ("want", "value", "met"), [("at least", 0.8, True), ("at least", 0.79, False), ("at most", 2.5, True), ("at most", 2.6, False)]
)
def test_row_is_met_by_its_median_on_the_right_side(want: str, value: float, met: bool) -> None:
    assert Row("x", "s", Spread(value, 0, 9), 0.8 if want == "at least" else 2.5, want).met is met  # type: ignore[arg-type]
    assert Row("x", "s", Spread(value, 0, 9)).met is None


def test_table_names_what_was_missed_and_writes_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sections = [Section("walk", "how", [Row("good", "s", Spread.of([1]), 1, "at most"), Row("bad", "s", Spread.of([1, 2, 3]), 1, "at most")])]
    show(sections)
    assert "1 of 2 targets met; missed: bad" in capsys.readouterr().out
    write(tmp_path / "bench.json", sections)
    body = json.loads((tmp_path / "bench.json").read_text())
    assert body["sections"]["walk"][1] == {"name": "bad", "unit": "s", "median": 2, "low": 1, "high": 3, "target": 1, "want": "at most", "met": False}


def test_slope_is_per_hour_through_noise() -> None:
    random = np.random.default_rng(1)
    samples = [{"hours": hours, "own_mb": 300 + 12 * hours + random.normal(0, 0.1)} for hours in np.linspace(0, 1, 200)]
    assert slope(samples, "own_mb") == pytest.approx(12, abs=0.2)


def test_creep_tells_a_leak_from_one_step() -> None:
    hours = np.linspace(0, 1 / 6, 100)
    step = [{"hours": at, "own_mb": 300.0 + 9 * (i >= 60)} for i, at in enumerate(hours)]
    assert creep(step, "own_mb") == 0
    assert largest_step(step, "own_mb") == 9
    stairs = [{"hours": at, "own_mb": 300.0 + i // 10} for i, at in enumerate(hours)]
    assert creep(stairs, "own_mb") == pytest.approx(60, rel=0.1), "a step a minute is a leak"


@pytest.mark.parametrize(("own_mb", "threads", "status"), [(0.0, 0, 0), (60.0, 0, 1), (0.0, 1, 1)])
def test_soak_fails_on_growth_of_memory_or_threads(own_mb: float, threads: int, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    flat = {"rss_mb": 400.0, "pss_mb": 300.0, "fds": 30.0, "processes": 3.0}
    samples = [{"hours": i / 60, "own_mb": 200 + own_mb * i / 60, "threads": 19.0 + threads * (i > 15), **flat} for i in range(20)]
    assert report(samples) == status
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["failed"] is bool(status)


def test_footprint_counts_descendants() -> None:
    import os
    import subprocess
    import sys

    before = footprint(os.getpid())
    code = "data = bytearray(b'x' * 50_000_000); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with_child = footprint(os.getpid())
        child.communicate(b"\n")
    assert with_child["processes"] == before["processes"] + 1
    assert with_child["own_mb"] - before["own_mb"] > 45


def test_run_of_a_failing_command_is_an_error_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="exit status 3\nwhy"):
        process.run(["-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"])


def test_run_measures_the_command_and_not_the_waiting() -> None:
    done = process.run(["-c", "import time; time.sleep(0.5); print('done')"])
    assert done.out == "done\n"
    assert done.wall_s > 0.5 > done.cpu_s


def test_usual_script_counts_a_box_that_crosses_once_and_none_beyond_the_ends() -> None:
    def drive(x: float) -> list[str]:
        tracker, line, ways = Tracker(), LineCounter((0, 100, 200, 100)), []
        for y in [*range(60, 140, 5), *range(140, 60, -5)]:
            box = np.array([[x - 20, y - 20, x + 20, y + 20]], np.float32)
            ways += [way for track in tracker.update(box, np.array([2])) if (way := line.crossed(track))]
        return ways

    assert drive(100) == ["down"]
    assert drive(300) == []


def test_usual_script_keeps_an_id_through_a_short_gap() -> None:
    tracker = Tracker()
    boxes = np.array([[0, 0, 40, 40]], np.float32)
    first: Track = tracker.update(boxes, np.array([2]))[0]
    for _ in range(3):
        assert tracker.update(np.zeros((0, 4), np.float32), np.zeros(0, int)) == []
    assert tracker.update(boxes + 2, np.array([2]))[0].id == first.id


def test_usual_overlap_is_intersection_over_union() -> None:
    a = np.array([[0.0, 0, 10, 10]])
    assert iou(a, np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])) == pytest.approx(np.array([[1, 1 / 3, 0]]))
