"""Simulated scenes as training pictures."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edge_export.street.data import IGNORED, Labelled, StreetDataError, read_labels
from edge_export.street.recipe import LABELS
from edge_export.street.scenes import render_scenes, simulated_street, truth_of
from tests.street import small

PLAN = dataclasses.replace(small.recipe().simulation, worlds=2, pictures=2)


@dataclasses.dataclass(frozen=True)
class Rendered:
    """What two worlds left, rendered by two calls."""

    folder: Path
    told: list[tuple[int, int]]
    made: list[Labelled]
    first_ns: int  # when the first picture was written


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Nobody may change it."""
    folder = tmp_path_factory.mktemp("rendered") / "scenes"
    told: list[tuple[int, int]] = []
    render_scenes(dataclasses.replace(PLAN, worlds=1), folder, lambda done, total: told.append((done, total)))
    first_ns = (folder / "1000-00.jpg").stat().st_mtime_ns
    made = render_scenes(PLAN, folder, lambda done, total: told.append((done, total)))
    return Rendered(folder, told, made, first_ns)


def test_render_scenes_writes_pictures_with_their_truth(rendered: Rendered) -> None:
    import cv2

    made = rendered.made
    assert [each.file for each in made] == ["1000-00.jpg", "1000-01.jpg", "1001-00.jpg", "1001-01.jpg"]
    assert rendered.told == [(1, 1), (2, 2)]
    assert sum(int((each.labels != IGNORED).sum()) for each in made) > 10
    for each in made:
        picture = cv2.imread(str(rendered.folder / each.file))
        assert picture.shape == (PLAN.height, PLAN.width, 3)
        assert (each.boxes[:, :2] >= 0).all() and (each.boxes[:, 2:] <= [PLAN.width, PLAN.height]).all()


def test_render_scenes_again_goes_on_where_it_stopped(rendered: Rendered) -> None:
    assert (rendered.folder / "1000-00.jpg").stat().st_mtime_ns == rendered.first_ns
    assert [each.file for each in read_labels(rendered.folder / "labels.json")] == [each.file for each in rendered.made]


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
            _, told = process.communicate(timeout=150)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
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


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(PLAN) if field.name != "worlds"])
def test_render_scenes_over_those_of_another_recipe_is_refused(rendered: Rendered, name: str) -> None:
    before = {file.name: file.read_bytes() for file in rendered.folder.iterdir()}
    value = getattr(PLAN, name)
    with pytest.raises(StreetDataError, match=rf"of another recipe, {name} {value} where {value * 2} is expected: name another"):
        render_scenes(dataclasses.replace(PLAN, **{name: value * 2}), rendered.folder, lambda *_: None)
    assert {file.name: file.read_bytes() for file in rendered.folder.iterdir()} == before


def test_render_scenes_over_those_that_do_not_say_by_which_recipe_is_refused(rendered: Rendered, tmp_path: Path) -> None:
    shutil.copy(rendered.folder / "labels.json", tmp_path)
    with pytest.raises(StreetDataError, match=r"of another recipe, or of nobody knows which \(plan\.json: "):
        render_scenes(PLAN, tmp_path, lambda *_: None)
    assert [file.name for file in tmp_path.iterdir()] == ["labels.json"]


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
