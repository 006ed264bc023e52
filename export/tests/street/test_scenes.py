"""Simulated scenes as training pictures."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_export.street.data import IGNORED, StreetDataError, read_labels
from edge_export.street.recipe import LABELS
from edge_export.street.scenes import render_scenes, simulated_street, truth_of
from tests.street import small

PLAN = dataclasses.replace(small.recipe().simulation, worlds=2, pictures=2)


def test_render_scenes_writes_pictures_with_their_truth(tmp_path: Path) -> None:
    import cv2

    told: list[tuple[int, int]] = []
    made = render_scenes(PLAN, tmp_path / "scenes", lambda done, total: told.append((done, total)))
    assert [each.file for each in made] == ["1000-00.jpg", "1000-01.jpg", "1001-00.jpg", "1001-01.jpg"]
    assert told == [(1, 2), (2, 2)]
    assert sum(int((each.labels != IGNORED).sum()) for each in made) > 10
    for each in made:
        picture = cv2.imread(str(tmp_path / "scenes" / each.file))
        assert picture.shape == (PLAN.height, PLAN.width, 3)
        assert (each.boxes[:, :2] >= 0).all() and (each.boxes[:, 2:] <= [PLAN.width, PLAN.height]).all()


def test_render_scenes_again_goes_on_where_it_stopped(tmp_path: Path) -> None:
    render_scenes(dataclasses.replace(PLAN, worlds=1), tmp_path, lambda *_: None)
    first = (tmp_path / "1000-00.jpg").stat().st_mtime_ns
    made = render_scenes(PLAN, tmp_path, lambda *_: None)
    assert len(made) == 4 and (tmp_path / "1000-00.jpg").stat().st_mtime_ns == first


def test_render_scenes_that_fails_ends_at_once_and_keeps_what_was_whole(tmp_path: Path) -> None:
    many = dataclasses.replace(PLAN, worlds=1000, pictures=1)
    (tmp_path / "1001-00.jpg").mkdir()  # no picture can be written there
    with pytest.raises(StreetDataError, match=r"1001-00\.jpg: cannot be written"):
        render_scenes(many, tmp_path, lambda *_: None)
    assert [each.file for each in read_labels(tmp_path / "labels.json")] == ["1000-00.jpg"]
    assert len(list(tmp_path.glob("*.jpg"))) < 100, "it went on rendering"
    (tmp_path / "1001-00.jpg").rmdir()
    made = render_scenes(dataclasses.replace(many, worlds=3), tmp_path, lambda *_: None)
    assert [each.file for each in made] == ["1000-00.jpg", "1001-00.jpg", "1002-00.jpg"]


def test_render_scenes_whose_listener_fails_ends_at_once(tmp_path: Path) -> None:
    def full(*_: int) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        render_scenes(dataclasses.replace(PLAN, worlds=1000, pictures=1), tmp_path, full)
    assert len(list(tmp_path.glob("*.jpg"))) < 100, "it went on rendering"


def test_render_scenes_ended_by_ctrl_c_leaves_no_process_and_whole_labels(tmp_path: Path) -> None:
    script = (
        "import dataclasses, pathlib; from tests.street import small; from edge_export.street.scenes import render_scenes\n"
        "plan = dataclasses.replace(small.recipe().simulation, worlds=1000, pictures=1)\n"
        f"render_scenes(plan, pathlib.Path({str(tmp_path)!r}), lambda *_: None)"
    )
    index, root = tmp_path / "labels.json", Path(__file__).parent.parent.parent
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=root) as process:
        try:
            end_s = time.monotonic() + 120
            while not index.exists() and process.poll() is None and time.monotonic() < end_s:
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert told.count("Traceback") == 1 and told.rstrip().endswith("KeyboardInterrupt"), told  # of the script, none of a process that renders
    end_s = time.monotonic() + 10  # multiprocessing's own helper ends when it notices
    while _alive(process.pid) and time.monotonic() < end_s:
        time.sleep(0.1)
    assert _alive(process.pid) == []
    labels = read_labels(index)
    assert 0 < len(labels) < 1000
    assert all((tmp_path / each.file).stat().st_size > 1000 for each in labels)


def _alive(group: int) -> list[str]:
    """The processes of a group that still run (what has ended may wait for somebody to ask for its status)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it ended in between
            continue
        if int(of_group) == group and state != "Z":
            found.append(stat.parent.name)
    return found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"first_seed": 2000}, r"1000-00\.jpg \(train\) where 2000-00\.jpg"),
        ({"pictures": 1}, r"1000-01\.jpg \(train\) where 1001-00\.jpg"),
        ({"width": 480, "height": 270}, "320×180 where 480×270"),
    ],
    ids=["seed", "pictures", "size"],
)
def test_render_scenes_over_those_of_another_recipe_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    render_scenes(dataclasses.replace(PLAN, worlds=1), tmp_path, lambda *_: None)
    before = json.loads((tmp_path / "labels.json").read_text())
    with pytest.raises(StreetDataError, match=told):
        render_scenes(dataclasses.replace(PLAN, **change), tmp_path, lambda *_: None)
    assert json.loads((tmp_path / "labels.json").read_text()) == before


def test_simulated_street_takes_scenes_and_weathers_in_turn() -> None:
    streets = [simulated_street(PLAN, number) for number in range(20)]
    assert len({(street.options.scene, street.options.weather) for street in streets}) == 15
    assert sum(street.options.scene == "junction" for street in streets) == 10
    assert [street.options.seed for street in streets] == list(range(1000, 1020))
    assert len({street.options.density for street in streets}) > 10


@pytest.mark.parametrize(("visibility", "expected"), [(1.0, [LABELS.index("bus")]), (0.2, [IGNORED]), (0.0, [])])
def test_truth_of_a_user_follows_how_much_of_it_is_seen(visibility: float, expected: list[int]) -> None:
    boxes, labels = truth_of(np.array([[-20.0, 10, 60, 90]]), np.array([visibility]), ["bus"], PLAN)
    assert list(labels) == expected
    np.testing.assert_array_equal(boxes, np.array([[0, 10, 60, 90]], np.float32)[: len(expected)])


def test_truth_of_a_user_of_two_pixels_is_left_out() -> None:
    assert truth_of(np.array([[10.0, 10, 12, 16]]), np.ones(1), ["person"], PLAN)[0].shape == (0, 4)
