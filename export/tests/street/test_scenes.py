"""Simulated scenes as training pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge_export.street.data import IGNORED
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
