"""Labels made by teachers that agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_export.street.data import IGNORED, Labelled, StreetImage
from edge_export.street.labels import agree, merge, mount
from edge_export.street.recipe import LABELS, Labelling
from edge_export.street.teachers import Seen, load_teachers, study

PERSON, BICYCLE, CAR, TRUCK = (LABELS.index(label) for label in ("person", "bicycle", "car", "truck"))

HOW = Labelling(witness_score=0.2, agreed_score=0.4, iou=0.5)
BOX = [10, 10, 50, 40]


def seen(*found: tuple[list[float], float, int]) -> Seen:
    return Seen(
        np.array([each[0] for each in found], np.float32).reshape(-1, 4),
        np.array([each[1] for each in found], np.float32),
        np.array([each[2] for each in found], np.int8),
    )


def person_made(boxes: list[list[float]], labels: list[int], known: set[int]) -> StreetImage:
    at = np.array(boxes, np.float32).reshape(-1, 4)
    return StreetImage(Labelled("a.jpg", "train", at, np.array(labels, np.int8)), frozenset(known))


def test_agree_of_two_teachers_averages_boxes_by_score() -> None:
    boxes, labels = agree([seen((BOX, 0.6, CAR)), seen(([14, 10, 54, 40], 0.2, CAR))], HOW)
    assert list(labels) == [CAR]
    np.testing.assert_allclose(boxes, [[11, 10, 51, 40]])


def test_agree_of_one_teacher_alone_is_ignored_however_sure() -> None:
    boxes, labels = agree([seen((BOX, 0.95, CAR), ([12, 10, 52, 40], 0.9, CAR)), seen()], HOW)
    assert list(labels) == [IGNORED]
    np.testing.assert_allclose(boxes, [BOX])


def test_agree_of_unsure_teachers_is_street() -> None:
    boxes, labels = agree([seen((BOX, 0.3, CAR)), seen((BOX, 0.3, CAR))], HOW)
    assert boxes.shape == (0, 4) and not len(labels)


def test_agree_within_a_group_takes_the_label_with_more_score() -> None:
    _, labels = agree([seen((BOX, 0.5, CAR)), seen((BOX, 0.45, TRUCK)), seen((BOX, 0.4, TRUCK))], HOW)
    assert list(labels) == [TRUCK]


def test_agree_across_groups_is_no_agreement() -> None:
    _, labels = agree([seen((BOX, 0.5, CAR)), seen((BOX, 0.5, PERSON))], HOW)
    assert sorted(labels) == [IGNORED, IGNORED]


def test_merge_of_a_category_that_people_looked_for_ignores_what_they_did_not_mark() -> None:
    image = person_made([BOX], [CAR], {CAR, TRUCK})
    agreed = np.array([[11, 10, 50, 40], [100, 10, 140, 40], [200, 10, 210, 40]], np.float32)
    merged = merge(image, agreed, np.array([CAR, TRUCK, PERSON], np.int8))
    assert list(merged.labels) == [CAR, IGNORED, PERSON]
    np.testing.assert_allclose(merged.boxes[0], BOX)


def test_merge_of_a_driver_ignores_the_driver() -> None:
    merged = merge(person_made([BOX], [CAR], {CAR}), np.array([[20, 12, 26, 20]], np.float32), np.array([PERSON], np.int8))
    assert list(merged.labels) == [CAR, IGNORED]


def test_mount_joins_rider_and_bicycle_into_one_object() -> None:
    boxes, labels = mount(np.array([[10, 30, 50, 60], [20, 5, 40, 50]], np.float32), np.array([BICYCLE, PERSON], np.int8))
    assert list(labels) == [BICYCLE, IGNORED]
    np.testing.assert_allclose(boxes[0], [10, 5, 50, 60])


@pytest.mark.parametrize("person", [[60, 5, 80, 60], [14, 50, 30, 90]], ids=["beside", "below"])
def test_mount_leaves_who_does_not_ride_alone(person: list[float]) -> None:
    before = np.array([[10, 30, 50, 60], person], np.float32)
    boxes, labels = mount(before, np.array([BICYCLE, PERSON], np.int8))
    assert list(labels) == [BICYCLE, PERSON]
    np.testing.assert_allclose(boxes, before)


@pytest.mark.material
def test_study_of_a_street_by_each_teacher_finds_what_people_marked(material: Path) -> None:
    import json

    import cv2

    from edge_runtime.evaluate.overlap import overlaps

    coco = json.loads((material / "streets" / "train.json").read_text())
    image = next(each for each in coco["images"] if each["session"] == "adit_mp4")
    marks = [mark["bbox"] for mark in coco["annotations"] if mark["image_id"] == image["id"] and mark["bbox"][3] > 60]
    truth = np.array([[x, y, x + width, y + height] for x, y, width, height in marks], np.float32)
    picture = cv2.imread(str(material / "streets" / image["file_name"]))
    assert len(truth) >= 2
    for teacher in load_teachers(material / "models"):
        found = study(teacher, picture, 0.3)
        assert (overlaps(truth, found.boxes).max(axis=1, initial=0) > 0.5).mean() >= 0.5, type(teacher).__name__
