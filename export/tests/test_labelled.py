"""Held-out labels and simulated truth in one form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_export.errors import ExportError
from edge_export.labelled import LEAST_HEIGHT_PX, simulated, street_pictures
from edge_export.street.recipe import FIRST_SEED
from edge_runtime.types import Size


def holdout(folder: Path, **changes: object) -> Path:
    """A folder with one labelled picture."""
    import cv2

    cv2.imwrite(str(folder / "one.jpg"), np.full((60, 100, 3), 90, np.uint8))
    image = {
        "id": 3,
        "file_name": "one.jpg",
        "width": 100,
        "height": 60,
        "set": "s",
        "light": "night",
        "labelled_categories": ["car"],
        "class_labels_trusted": False,
    }
    rows = [([10, 10, 30, 20], 1, 0), ([50, 5, 10, 15], 1, 0), ([90, 30, 20, 40], 1, 0), ([0, 0, 50, 50], 1, 1)]
    table = {
        "categories": [{"id": 1, "name": "car"}],
        "images": [image],
        "annotations": [{"image_id": 3, "bbox": box, "category_id": kind, "iscrowd": crowd} for box, kind, crowd in rows],
        **changes,
    }
    (folder / "holdout.json").write_text(json.dumps(table))
    return folder


def test_street_pictures_hold_truth_in_corners_clipped(tmp_path: Path) -> None:
    (one,) = street_pictures(holdout(tmp_path))
    assert one.xyxy.tolist() == [[10, 10, 40, 30], [50, 5, 60, 20], [90, 30, 100, 60], [0, 0, 50, 50]]
    assert one.ignore.tolist() == [False, True, False, True]  # 15 px high; a crowd
    assert (one.labelled, one.trusted, one.places) == ({"car"}, False, (("set", "s"), ("light", "night")))
    assert one.picture().shape == (60, 100, 3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"images": [{"id": 3}]}, "no COCO json"),
        ({"annotations": [{"image_id": 9, "bbox": [0, 0, 1, 1], "category_id": 1, "iscrowd": 0}]}, "no COCO json"),
        (None, "no such file"),
    ],
)
def test_street_pictures_refuse_what_is_none(tmp_path: Path, changes: dict[str, object] | None, expected: str) -> None:
    if changes is not None:
        holdout(tmp_path, **changes)
    with pytest.raises(ExportError, match=expected):
        street_pictures(tmp_path)


def test_street_pictures_say_which_are_missing(tmp_path: Path) -> None:
    (holdout(tmp_path) / "one.jpg").unlink()
    with pytest.raises(ExportError, match=r"1 of its 1 pictures are missing, such as .*one\.jpg"):
        street_pictures(tmp_path)


@pytest.mark.material
def test_street_pictures_of_the_held_out_set(material: Path) -> None:
    pictures = street_pictures(material / "streets")
    table = json.loads((material / "streets" / "holdout.json").read_text())
    assert len(pictures) == len(table["images"])
    assert sum(len(each.xyxy) for each in pictures) == len(table["annotations"])
    assert {dict(each.places)["light"] for each in pictures} == {"day", "night", "unknown"}


def test_simulated_moments_have_exact_truth() -> None:
    size = Size(320, 180)
    moments = list(simulated(5, size, first_seed=3, each_street=3))
    assert len(moments) == 5
    assert [dict(each.places)["scene"] for each in moments] == ["junction"] * 3 + ["road"] * 2
    assert len({each.name for each in moments}) == 5
    for each in moments:
        assert each.picture().shape == (180, 320, 3)
        assert len(each.labelled) == 6
        assert (each.xyxy[:, 2:] > each.xyxy[:, :2]).all()
        assert (each.xyxy >= 0).all()
        assert (each.xyxy <= [320, 180, 320, 180]).all()
        low = each.xyxy[:, 3] - each.xyxy[:, 1] < LEAST_HEIGHT_PX
        assert each.ignore[low].all()
    assert sum(len(each.xyxy) for each in moments) > 5
    again = list(simulated(5, size, first_seed=3, each_street=3))
    assert all(np.array_equal(a.xyxy, b.xyxy) and np.array_equal(a.picture(), b.picture()) for a, b in zip(moments, again, strict=True))
    assert not np.array_equal(moments[0].picture(), moments[1].picture())


def test_simulated_moments_of_streets_to_learn_from_are_refused() -> None:
    size = Size(320, 180)
    (last,) = simulated(1, size, first_seed=FIRST_SEED - 1, each_street=1)
    assert f"seed={FIRST_SEED - 1}&" in last.name
    with pytest.raises(ExportError, match=f"2 simulated pictures: expected 1 at most: streets from seed {FIRST_SEED}"):
        simulated(2, size, first_seed=FIRST_SEED - 1, each_street=1)
