"""Assignment and losses, held against what can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_export.street.losses import DetectionLoss, generalised_iou
from edge_export.street.network import anchors
from edge_export.street.recipe import LABELS
from edge_export.street.score import read_rows
from tests.street.small import PLAN

COUNT = anchors(PLAN)
PADDING = len(LABELS)


def rows_that_say(loss: DetectionLoss, boxes: np.ndarray, labels: list[int], sure: float = 6.0) -> np.ndarray:
    """Rows of which every anchor tells the box nearest to it; objectness and class logits are high only at `boxes`' own centres."""
    grid, stride = np.asarray(loss._grid), np.asarray(loss._stride)
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    nearest = np.abs((grid + 0.5)[:, None] * stride[:, None] - middle[None]).max(axis=2).argmin(axis=1)
    rows = np.full((1, COUNT, 5 + len(LABELS)), -sure, np.float32)
    rows[0, :, :2] = middle[nearest] / stride - grid
    rows[0, :, 2:4] = np.log(size[nearest] / stride)
    for index in range(COUNT):
        rows[0, index, 5 + labels[nearest[index]]] = sure
    return rows


def batch(boxes: np.ndarray, labels: list[int]) -> tuple[np.ndarray, np.ndarray]:
    at = np.zeros((1, 4, 4), np.float32)
    kinds = np.full((1, 4), PADDING, np.int32)
    at[0, : len(boxes)], kinds[0, : len(labels)] = boxes, labels
    return at, kinds


@pytest.fixture(scope="module")
def loss() -> Any:
    return DetectionLoss(PLAN)


TWO = np.array([[8, 8, 40, 32], [56, 24, 88, 60]], np.float32)


def test_decode_agrees_with_the_reader_of_rows(loss: Any) -> None:
    rows = np.random.default_rng(1).normal(0, 0.7, (1, COUNT, 5 + len(LABELS))).astype(np.float32)
    every = np.asarray(loss.decode(rows))[0]
    rows[0, :, 4:] = 1 / (1 + np.exp(-rows[0, :, 4:]))
    read = read_rows(rows[0], PLAN, floor=0.0, most=1.1)
    order = np.argsort(-(rows[0, :, 4] * rows[0, :, 5:].max(axis=1)), kind="stable")
    np.testing.assert_allclose(read.boxes, every[order], rtol=1e-4, atol=1e-3)


def test_assign_gives_each_object_its_own_anchors_near_its_centre(loss: Any) -> None:
    boxes, labels = batch(TWO, [2, 5])
    rows = rows_that_say(loss, TWO, [2, 5])
    rows += np.random.default_rng(1).normal(0, 0.01, rows.shape).astype(np.float32)  # no two anchors cost the same
    match = np.asarray(loss.assign(loss.decode(rows), rows, boxes, labels))[0]
    centre = np.asarray(loss._centre)
    for index, box in enumerate(TWO):
        mine = centre[match == index]
        assert 1 <= len(mine) <= 10
        assert ((mine > box[:2]) & (mine < box[2:])).all()
    assert not (match >= 2).any()


def test_assign_of_an_object_smaller_than_a_cell_still_finds_an_anchor(loss: Any) -> None:
    tiny = np.array([[17, 17, 21, 21]], np.float32)
    boxes, labels = batch(tiny, [0])
    rows = rows_that_say(loss, tiny, [0])
    assert (np.asarray(loss.assign(loss.decode(rows), rows, boxes, labels)) == 0).any()


def test_assign_of_nothing_matches_nothing(loss: Any) -> None:
    boxes, labels = batch(TWO[:0], [])
    rows = rows_that_say(loss, TWO, [2, 5])
    assert (np.asarray(loss.assign(loss.decode(rows), rows, boxes, labels)) == -1).all()


def test_assign_gives_an_anchor_wanted_twice_to_the_cheaper_object(loss: Any) -> None:
    both = np.array([[20, 16, 60, 48], [24, 18, 62, 50]], np.float32)
    boxes, labels = batch(both, [2, 2])
    rows = rows_that_say(loss, both[:1], [2])
    match = np.asarray(loss.assign(loss.decode(rows), rows, boxes, labels))[0]
    exact = (match == 0).sum()
    assert exact >= 1 and exact > (match == 1).sum()


def test_loss_of_truth_is_far_below_that_of_a_wrong_label_a_wrong_box_or_a_false_alarm(loss: Any) -> None:
    boxes, labels = batch(TWO, [2, 5])
    rows = rows_that_say(loss, TWO, [2, 5])
    match = np.asarray(loss.assign(loss.decode(rows), rows, boxes, labels))[0]
    rows[0, match >= 0, 4] = 6.0
    none = np.zeros((1, COUNT), bool)
    right = float(loss(rows, boxes, labels, none))
    assert right < 0.2
    assert float(loss(rows, *batch(TWO, [2, 4]), none)) > right + 2
    assert float(loss(rows, *batch(TWO + np.float32([6, 0, 6, 0]), [2, 5]), none)) > right + 1
    alarm = rows.copy()
    alarm[0, np.flatnonzero(match < 0)[:10], 4] = 6.0
    assert float(loss(alarm, boxes, labels, none)) > right + 1


def test_loss_within_ignored_regions_costs_nothing(loss: Any) -> None:
    boxes, labels = batch(TWO, [2, 5])
    rows = rows_that_say(loss, TWO, [2, 5])
    match = np.asarray(loss.assign(loss.decode(rows), rows, boxes, labels))[0]
    alarms = np.flatnonzero(match < 0)[:10]
    ignored = np.zeros((1, COUNT), bool)
    ignored[0, alarms] = True
    quiet = float(loss(rows, boxes, labels, ignored))
    rows[0, alarms, 4] = 6.0
    assert float(loss(rows, boxes, labels, ignored)) == pytest.approx(quiet, abs=1e-5)


def test_generalised_iou_of_known_boxes() -> None:
    a = np.array([[0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 4, 4]], np.float32)
    b = np.array([[0, 0, 2, 2], [2, 0, 3, 1], [0, 0, 2, 2]], np.float32)
    np.testing.assert_allclose(np.asarray(generalised_iou(a, b)), [1.0, -1 / 3, 0.25], rtol=1e-6)
