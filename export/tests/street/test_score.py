"""The measure used while training."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_export.street.augment import Example
from edge_export.street.boxes import nms
from edge_export.street.data import IGNORED
from edge_export.street.score import Predictions, judge

NONE = np.zeros((10, 10, 3), np.uint8)


def truth(*found: tuple[list[float], int]) -> Example:
    return Example(NONE, np.array([each[0] for each in found], np.float32).reshape(-1, 4), np.array([each[1] for each in found], np.int8))


def guess(*found: tuple[list[float], float, int]) -> Predictions:
    boxes = np.array([each[0] for each in found], np.float32).reshape(-1, 4)
    return Predictions(boxes, np.array([each[1] for each in found], np.float32), np.array([each[2] for each in found], np.int8))


A, B, C = [0, 0, 20, 20], [40, 0, 60, 20], [80, 0, 100, 20]


def test_judge_of_all_right_is_one() -> None:
    score = judge([truth((A, 2), (B, 5))], [guess((A, 0.9, 2), (B, 0.5, 5))], (2, 4, 5), 5)
    assert (score.ap50, score.recall, score.precision) == (1, 1, 1)


def test_judge_of_a_false_alarm_in_between_is_the_area_under_the_envelope() -> None:
    score = judge([truth((A, 2), (B, 2))], [guess((A, 0.9, 2), (C, 0.8, 2), (B, 0.7, 2))], (2,), 5)
    assert score.ap50 == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert score.precision == pytest.approx(2 / 3)


def test_judge_counts_an_object_once() -> None:
    score = judge([truth((A, 2))], [guess((A, 0.9, 2), ([1, 0, 20, 20], 0.8, 2))], (2,), 5)
    assert score.ap50 == 1 and score.precision == 0.5


def test_judge_excuses_what_is_ignored_or_too_low() -> None:
    score = judge([truth((A, 2), (B, IGNORED), ([40, 40, 60, 44], 2))], [guess((A, 0.9, 2), (B, 0.95, 2), ([40, 40, 60, 44], 0.95, 2))], (2,), 5)
    assert score.ap50 == 1 and score.precision == 1


def test_judge_of_a_person_taken_for_a_car_is_a_false_alarm() -> None:
    score = judge([truth((A, 2), (B, 0))], [guess((A, 0.8, 2), (B, 0.9, 2))], (2,), 5)
    assert score.precision == 0.5 and score.ap50 == 0.5


def test_judge_of_sure_scores_alone_is_recall() -> None:
    score = judge([truth((A, 2), (B, 2))], [guess((A, 0.9, 2), (B, 0.1, 2))], (2,), 5)
    assert score.ap50 == 1 and score.recall == 0.5


def test_judge_of_nothing_to_find_is_no_number() -> None:
    assert math.isnan(judge([truth((A, 0))], [guess((A, 0.9, 2))], (2,), 5).ap50)


def test_nms_keeps_the_best_of_a_label_and_rivals_of_another() -> None:
    at = np.array([A, [2, 0, 20, 20], [1, 0, 20, 20]], np.float32)
    kept = nms(at, np.array([0.5, 0.9, 0.7], np.float32), np.array([2, 2, 0], np.int8), 0.5)
    assert list(kept) == [1, 2]
