"""How much boxes cover each other, against plain twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.evaluate.overlap import covered, overlaps
from tests import naive_average_precision as naive
from tests.evaluate.boxes import BOX

BOXES = st.lists(BOX, max_size=5)


@given(BOXES, BOXES)
def test_overlaps_equal_the_plain_twin(a: list[Any], b: list[Any]) -> None:
    table = overlaps(np.array(a, np.float64), np.array(b, np.float64))
    assert table.shape == (len(a), len(b))
    assert table.tolist() == [[pytest.approx(naive.iou(first, second)) for second in b] for first in a]


@given(BOXES, BOXES)
def test_covered_equals_the_plain_twin(a: list[Any], b: list[Any]) -> None:
    table = covered(np.array(a, np.float32), np.array(b, np.float32))
    assert table.shape == (len(a), len(b))
    assert table.tolist() == [[pytest.approx(naive.covered(first, second)) for second in b] for first in a]


@pytest.mark.parametrize("measure", [overlaps, covered])
def test_empty_and_inverted_boxes_have_nothing_in_common_with_any(measure: Any) -> None:
    assert measure(np.array([[0, 0, 0, 0], [5, 5, 1, 1]]), np.array([[0, 0, 0, 0], [0, 0, 9, 9]])).tolist() == [[0, 0], [0, 0]]
