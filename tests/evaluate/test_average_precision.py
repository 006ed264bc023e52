"""Average precision against published values, against a plain twin, and against what can be said without computing."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.evaluate.average_precision import Curve, Judged, average, curve, judge, precision_at, recall_at
from tests import naive_average_precision as naive
from tests.evaluate.boxes import BOX

VECTORS = Path("vectors") / "average_precision"
EMPTY = (np.zeros((0, 4)), np.zeros(0))


def rows(file: Path) -> Iterator[list[float]]:
    for line in file.read_text().splitlines():
        if line.strip():
            yield [float(word) for word in line.split()[1:]]


def corners(xywh: Any) -> NDArray[np.float64]:
    boxes = np.array(xywh, np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def voc_pictures(folder: Path, iou: float) -> list[Judged]:
    made = []
    for file in sorted((folder / "gts").iterdir()):
        found = list(rows(folder / "dets" / file.name))
        boxes, scores = corners([each[1:] for each in found]), np.array([each[0] for each in found])
        whole = np.array([0, 0, 1, 1])  # PASCAL VOC counts both end pixels
        made.append(judge((boxes + whole, scores), corners(list(rows(file))) + whole, iou, rule="voc"))
    return made


# Padilla et al., tests/test_case_1.py of the repository that the vectors come from.
@pytest.mark.material
@pytest.mark.parametrize(
    ("iou", "all_points", "eleven"),
    [(0.1, 0.3371980676, 0.3333333333), (0.3, 0.2456866804, 0.2683982683), (0.5, 0.0222222222, 0.0303030303), (0.75, 0, 0)],
)
def test_average_of_the_voc_example(material: Path, iou: float, all_points: float, eleven: float) -> None:
    line = curve(voc_pictures(material / VECTORS / "test_case_1", iou))
    assert line.demanded == 15
    assert average(line, "all") == pytest.approx(all_points, abs=1e-9)
    assert average(line, 11) == pytest.approx(eleven, abs=1e-9)


def coco_tables(folder: Path) -> dict[int, dict[int, tuple[list[Any], list[Any]]]]:
    """By category, by picture: (detections, truths)."""
    tables: dict[int, dict[int, tuple[list[Any], list[Any]]]] = defaultdict(lambda: defaultdict(lambda: ([], [])))
    for each in json.loads((folder / "cocoapi_results.json").read_text()):
        tables[each["category_id"]][each["image_id"]][0].append(each)
    for each in json.loads((folder / "gts" / "sampled_gts_bbox_area.json").read_text())["annotations"]:
        tables[each["category_id"]][each["image_id"]][1].append(each)
    return tables


def coco_mean(folder: Path, ious: list[float], low: float = 0.0, high: float = 1e10) -> float:
    """AP over categories and overlaps, of objects whose area (as labelled) lies within [low, high]."""
    values = []
    for pictures in coco_tables(folder).values():
        for iou in ious:
            made = []
            for found, truths in pictures.values():
                boxes = corners([each["bbox"] for each in found])
                area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
                ignore = np.array([not low <= each["area"] <= high for each in truths], np.bool_)
                scores = np.array([each["score"] for each in found])
                outside = (area < low) | (area > high)
                made.append(judge((boxes, scores), corners([each["bbox"] for each in truths]), iou, ignore=ignore, outside=outside))
            values.append(average(curve(made), 101))
    return float(np.nanmean(values))


# The same repository, tests/test_coco_eval.py, where they are said to be those of COCO's own implementation.
@pytest.mark.material
@pytest.mark.parametrize(
    ("ious", "limits", "expected"),
    [
        (np.arange(50, 100, 5) / 100, (0, 1e10), 0.503647),
        ([0.5], (0, 1e10), 0.696973),
        ([0.75], (0, 1e10), 0.571667),
        (np.arange(50, 100, 5) / 100, (0, 32**2), 0.593252),
        (np.arange(50, 100, 5) / 100, (32**2, 96**2), 0.557991),
        (np.arange(50, 100, 5) / 100, (96**2, 1e10), 0.489363),
    ],
    ids=["AP", "AP50", "AP75", "small", "medium", "large"],
)
def test_average_of_the_coco_sample(material: Path, ious: Any, limits: tuple[float, float], expected: float) -> None:
    assert coco_mean(material / VECTORS / "test_coco_eval", list(ious), *limits) == pytest.approx(expected, abs=1e-6)


FOUND = st.lists(st.tuples(BOX, st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])), max_size=8)
TRUTHS = st.lists(st.tuples(BOX, st.booleans()), max_size=6)


@given(
    st.lists(st.tuples(FOUND, TRUTHS), min_size=1, max_size=4),
    st.sampled_from([0.1, 0.5, 0.75]),
    st.sampled_from(["coco", "voc"]),
)
def test_average_equals_the_plain_twin(pictures: list[tuple[Any, Any]], iou: float, rule: Any) -> None:
    made, fates, demanded = [], [], 0
    for found, truths in pictures:
        boxes, scores = np.array([box for box, _ in found], np.float64).reshape(-1, 4), np.array([score for _, score in found])
        ignore = [flag for _, flag in truths]
        judged = judge((boxes, scores), np.array([box for box, _ in truths], np.float64), iou, ignore=np.array(ignore, np.bool_), rule=rule)
        made.append(judged)
        fates.append(naive.fates(found, [box for box, _ in truths], ignore, iou, rule))
        demanded += ignore.count(False)
        names = ["ignored" if out else "hit" if hit else "false" for out, hit in zip(judged.ignored, judged.hit, strict=True)]
        assert list(zip(judged.score.tolist(), names, strict=True)) == fates[-1]
    line = curve(made)
    if demanded == 0:
        assert math.isnan(average(line))
        return
    points = naive.precision_recall(fates, demanded)
    assert average(line, "all") == pytest.approx(naive.area(points))
    assert average(line, 101) == pytest.approx(naive.mean_at(points, 101))
    assert average(line, 11) == pytest.approx(naive.mean_at(points, 11))


def line_of(*fates: tuple[float, bool], demanded: int) -> Curve:
    hits = np.array([hit for _, hit in fates])
    return curve([Judged(np.array([score for score, _ in fates]), np.where(hits, 0, -1), np.zeros(len(fates), np.bool_), demanded)])


def test_average_of_what_is_perfect_and_of_what_is_useless() -> None:
    perfect = line_of((0.9, True), (0.8, True), demanded=2)
    assert [average(perfect, points) for points in ("all", 101, 11)] == [1, 1, 1]
    useless = line_of((0.9, False), (0.8, False), demanded=2)
    assert [average(useless, points) for points in ("all", 101, 11)] == [0, 0, 0]
    assert average(curve([judge(EMPTY, np.array([[0, 0, 1, 1]]), 0.5)])) == 0
    assert math.isnan(average(curve([judge(EMPTY, np.zeros((0, 4)), 0.5)])))
    assert average(line_of((0.9, True), (0.8, False), (0.7, True), demanded=4)) == pytest.approx(0.25 + 0.25 * 2 / 3)


def test_recall_and_precision_at_a_threshold() -> None:
    line = line_of((0.9, True), (0.5, False), (0.5, True), (0.2, True), demanded=4)
    assert [recall_at(line, score) for score in (0.95, 0.9, 0.5, 0.1)] == [0, 0.25, 0.5, 0.75]
    assert [precision_at(line, score) for score in (0.9, 0.5)] == [1, pytest.approx(2 / 3)]
    assert math.isnan(precision_at(line, 0.95))
    assert math.isnan(recall_at(line_of(demanded=0), 0.5))


def test_judge_rules_differ_where_a_better_one_took_the_best_truth() -> None:
    found = (np.array([[0, 0, 10, 10], [0, 1, 10, 11]]), np.array([0.9, 0.8]))
    truths = np.array([[0, 0, 10, 10], [0, 5, 10, 15]])
    assert judge(found, truths, 0.4).truth.tolist() == [0, 1]
    assert judge(found, truths, 0.4, rule="voc").truth.tolist() == [0, -1]


def test_judge_leaves_ignored_truths_and_outside_detections_out() -> None:
    found = (np.array([[0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]]), np.array([0.7, 0.9, 0.8]))
    judged = judge(found, np.array([[0, 0, 10, 10.0]]), 0.5, ignore=np.array([True]), outside=np.array([False, True, False]))
    assert judged.score.tolist() == [0.9, 0.8, 0.7]
    assert judged.ignored.tolist() == [True, False, True]
    assert not judged.hit.any()
    assert judged.demanded == 0
    counted = judge(found, np.array([[0, 0, 10, 10.0]]), 0.5, outside=np.array([True, False, False]))
    assert counted.hit.tolist() == [False, False, True]  # what finds a truth that counts is counted, wherever it lies


def test_judge_refuses_shapes_that_disagree() -> None:
    with pytest.raises(ValueError, match="1 boxes"):
        judge((np.zeros((1, 4)), np.zeros(2)), np.zeros((0, 4)), 0.5)
    with pytest.raises(ValueError, match="2 truths"):
        judge(EMPTY, np.zeros((2, 4)), 0.5, ignore=np.zeros(1))
